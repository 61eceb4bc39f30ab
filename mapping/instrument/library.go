package instrument

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"rapport/fhir"
)

//go:embed files
var shipped embed.FS

// Library holds instruments. It is immutable and safe for concurrent use.
type Library struct {
	list   []*Instrument // by slug
	byURL  map[string]*Instrument
	byCode map[string]*Instrument // system|code of the panel

	// byScore is by system|code of the first scale. Versions of an instrument may share
	// it; then it is the first of them.
	byScore map[string]*Instrument

	words *words
}

// Load returns the instruments that the product ships.
func Load() (*Library, error) {
	files, err := fs.Sub(shipped, "files")
	if err != nil {
		return nil, err
	}
	return LoadFrom(files)
}

// LoadFrom reads instruments from folders of files. All faults are reported,
// each with file and line; with any of them there is no Library. It speaks English
// in general words: see [Library.With].
func LoadFrom(files fs.FS) (*Library, error) {
	dirs, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, err
	}
	l := &Library{byURL: map[string]*Instrument{}, byCode: map[string]*Instrument{}, byScore: map[string]*Instrument{}}
	var errs []error
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		in, err := read(files, d.Name())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if err := l.add(in); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("instruments: %w", err)
	}
	return l.With(Voice{})
}

func (l *Library) add(in *Instrument) error {
	l.list = append(l.list, in)
	for _, u := range append([]string{in.URL}, in.Also...) {
		if other := l.byURL[u]; other != nil {
			return &Fault{in.Slug + "/instrument.yaml", 1, fmt.Sprintf("%s is the URL of %s already", u, other.Slug)}
		}
		l.byURL[u] = in
	}
	if other := l.byCode[key(in.Panel)]; other != nil {
		return &Fault{in.Slug + "/instrument.yaml", 1, fmt.Sprintf("%s is the code of %s already", in.Panel.Code, other.Slug)}
	}
	l.byCode[key(in.Panel)] = in
	if k := key(in.Total().Code); l.byScore[k] == nil {
		l.byScore[k] = in
	}
	return nil
}

func key(c Code) string { return c.System + "|" + c.Code }

// All lists the instruments by slug.
func (l *Library) All() []*Instrument { return slices.Clone(l.list) }

// scales lists an instrument for each code of a total score.
func (l *Library) scales() (out []*Instrument) {
	for _, in := range l.list {
		if l.byScore[key(in.Total().Code)] == in {
			out = append(out, in)
		}
	}
	return out
}

// BySlug returns the instrument of a folder, or nil.
func (l *Library) BySlug(slug string) *Instrument {
	i := slices.IndexFunc(l.list, func(in *Instrument) bool { return in.Slug == slug })
	if i < 0 {
		return nil
	}
	return l.list[i]
}

// ByURL returns the instrument whose Questionnaire a canonical names, or nil. A
// version, where given, must be the one that is loaded: answers to another
// version are not scored as answers to this one.
func (l *Library) ByURL(canonical string) *Instrument {
	url, version, pinned := strings.Cut(canonical, "|")
	in := l.byURL[url]
	if in == nil || pinned && url == in.URL && version != in.Version {
		return nil
	}
	return in
}

// ByCode returns the instrument with this panel code, or nil.
func (l *Library) ByCode(system, code string) *Instrument {
	return l.byCode[key(Code{System: system, Code: code})]
}

// Find returns an instrument by slug, canonical URL or LOINC panel code, as
// files of practice systems name it, or nil.
func (l *Library) Find(name string) *Instrument {
	if in := l.BySlug(name); in != nil {
		return in
	}
	if in := l.ByURL(name); in != nil {
		return in
	}
	return l.ByCode(loinc, name)
}

// Definitions returns what a server keeps so that the responses can be read and
// validated: every Questionnaire and the code systems of our own. The same
// library gives the same bytes.
func (l *Library) Definitions() ([]fhir.Resource, error) {
	var out []fhir.Resource
	for _, in := range l.list {
		q, err := in.Questionnaire()
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	cs, err := l.CodeSystems()
	return append(out, cs...), err
}
