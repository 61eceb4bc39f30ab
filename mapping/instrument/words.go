package instrument

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rapport/fhir"
)

//go:embed wording
var wordings embed.FS

// Voice is how a practice words what it tells about a response.
type Voice struct {
	Language string // of the texts that ship, BCP 47; "" is "en"
	// Safety is the practice's own text for a client whose answer needs a person
	// today: whom to turn to, with numbers that are right where they live. "" is a
	// general one that names neither.
	Safety string
}

// words are the texts of one language.
type words struct {
	Language  string `yaml:"language"`
	Clinician struct {
		Score      string  `yaml:"score"`
		Band       string  `yaml:"band"`
		None       string  `yaml:"none"`
		Unfinished string  `yaml:"unfinished"`
		Unstated   string  `yaml:"unstated"`
		Bare       string  `yaml:"bare"`
		BareRisk   string  `yaml:"bareRisk"`
		Estimated  string  `yaml:"estimated"`
		Only       string  `yaml:"only"`
		Undated    string  `yaml:"undated"`
		Undecided  string  `yaml:"undecided"`
		SinceFirst classed `yaml:"sinceFirst"`
		SinceLast  classed `yaml:"sinceLast"`
		OwnMean    against `yaml:"ownMean"`
		Risk       string  `yaml:"risk"`
	} `yaml:"clinician"`
	Client struct {
		Thanks     string  `yaml:"thanks"`
		Higher     string  `yaml:"higher"`
		Lower      string  `yaml:"lower"`
		None       string  `yaml:"none"`
		Unfinished string  `yaml:"unfinished"`
		Unstated   string  `yaml:"unstated"`
		Only       string  `yaml:"only"`
		Undated    string  `yaml:"undated"`
		Undecided  string  `yaml:"undecided"`
		SinceFirst classed `yaml:"sinceFirst"`
		SinceLast  classed `yaml:"sinceLast"`
		Worse      string  `yaml:"worse"`
		OwnMean    against `yaml:"ownMean"`
		Told       struct {
			Therapist string `yaml:"therapist"`
			Practice  string `yaml:"practice"`
		} `yaml:"told"`
	} `yaml:"client"`
	Safety string `yaml:"safety"`
}

// classed is a text for each thing that a change may amount to.
type classed struct {
	Improvement      string `yaml:"reliable-improvement"`
	ReliableRecovery string `yaml:"reliable-recovery"`
	Recovery         string `yaml:"recovery"`
	NoChange         string `yaml:"no-reliable-change"`
	Deterioration    string `yaml:"reliable-deterioration"`
	Unclassified     string `yaml:"unclassified"`
}

// against is a text for each way in which a score may lie to the person's own mean.
type against struct {
	Few    string `yaml:"few"`
	Steady string `yaml:"steady"`
	Drop   string `yaml:"drop"`
}

// readWords reads the texts of a language.
func readWords(language string) (*words, error) {
	file := path.Join("wording", language+".yaml")
	src, err := fs.ReadFile(wordings, file)
	if err != nil {
		return nil, fhir.Errorf(fhir.Value, "", "there are no texts in the language %q; there are those in %s", language, strings.Join(languages(), ", "))
	}
	w := &words{}
	if err := decode(file, src, w); err != nil {
		return nil, err
	}
	return w, w.check(file)
}

func languages() (out []string) {
	es, _ := fs.ReadDir(wordings, "wording") // it is part of the program
	for _, e := range es {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return out
}

// With returns the library with a practice's voice in what [Library.Tell] says; l
// stays as it is.
//
// Errors: [fhir.Value] for a language that does not ship.
func (l *Library) With(v Voice) (*Library, error) {
	language := v.Language
	if language == "" {
		language = "en"
	}
	w, err := readWords(language)
	if err != nil {
		return nil, err
	}
	if s := strings.TrimSpace(v.Safety); s != "" {
		w.Safety = s
	}
	out := *l
	out.words = w
	return &out, nil
}

// Tell puts plain sentences of the facts into a Feedback: for the clinician, for the
// client, and where a risk fired by their own answers the practice's safety text: others
// answered about them, and are not meant. Whoever leaves facts out of a Feedback calls it
// again.
func (l *Library) Tell(f *Feedback) {
	w := l.words
	f.Language, f.ForClinician, f.ForClient, f.Safety = w.Language, w.clinician(f), "", ""
	if f.informant != practitioner {
		f.ForClient = w.client(f)
	}
	if len(f.Risks) > 0 && f.informant == self {
		f.Safety = w.Safety
	}
}

func (w *words) clinician(f *Feedback) string {
	t := w.Clinician
	if none := f.lacks(t.Unfinished, t.Unstated, t.None); none != "" {
		return join(w.risks(f), fill(none, "title", f.Title), w.unseen(f))
	}
	total := f.Scores[0]
	score := t.Score
	if total.Band != nil {
		score = t.Band
	}
	out := []string{w.risks(f), fill(score, numbers(f)...)}
	if total.Estimated {
		out = append(out, t.Estimated)
	}
	switch {
	case f.Undated:
		out = append(out, t.Undated)
	case f.Undecided:
		out = append(out, t.Undecided)
	case f.First != nil:
		out = append(out, fill(t.SinceFirst.of(f.First), f.First.numbers()...))
	case f.OwnMean == nil && f.Last == nil:
		out = append(out, t.Only)
	}
	if last := f.between(); last != nil {
		out = append(out, fill(t.SinceLast.of(last), last.numbers()...))
	}
	if f.OwnMean != nil {
		out = append(out, fill(t.OwnMean.of(f.OwnMean), f.OwnMean.numbers()...))
	}
	return join(append(out, w.unseen(f))...)
}

// lacks picks the text of why there is no score, "" where there is one. What is not
// finished has none, whatever was answered.
func (f *Feedback) lacks(unfinished, unstated, none string) string {
	switch {
	case f.unfinished:
		return unfinished
	case len(f.Scores) > 0 && f.Scores[0].Score != nil:
		return ""
	case f.Bare || len(f.Scores) == 0:
		return unstated
	}
	return none
}

// unseen says that scores came without answers, so that silence about a risk is none.
func (w *words) unseen(f *Feedback) string {
	switch {
	case !f.Bare:
		return ""
	case f.risky:
		return w.Clinician.BareRisk
	}
	return w.Clinician.Bare
}

func (w *words) risks(f *Feedback) string {
	var out []string
	for _, r := range f.Risks {
		out = append(out, fill(w.Clinician.Risk, "display", r.Display))
	}
	return join(out...)
}

// between is the change since the last score where that is not the first one too.
func (f *Feedback) between() *ChangeFacts {
	if f.Last != nil && f.First != nil && f.Last.Observation == f.First.Observation {
		return nil
	}
	return f.Last
}

// client words it for the client. A rule of one's own mean says more than the changes
// since the first and the last answers; only one of them is told. Nobody whose answer
// needs a person today is praised for a number.
func (w *words) client(f *Feedback) string {
	t := w.Client
	if none := f.lacks(t.Unfinished, t.Unstated, t.None); none != "" {
		return join(t.Thanks, none)
	}
	score := t.Higher
	if f.Scores[0].Worse == "lower" {
		score = t.Lower
	}
	out := []string{t.Thanks, fill(score, numbers(f)...)}
	last := f.between()
	switch {
	case f.Undated:
		return join(append(out, t.Undated)...)
	case f.Undecided:
		return join(append(out, t.Undecided)...)
	case f.OwnMean != nil:
		return join(append(out, fill(t.OwnMean.of(f.OwnMean), f.OwnMean.numbers()...), w.told(f.OwnMean.Task, f.OwnMean.owned))...)
	case f.First == nil && last == nil:
		return join(append(out, t.Only)...)
	}
	worse := ""
	for _, since := range []struct {
		change *ChangeFacts
		text   classed
	}{{f.First, t.SinceFirst}, {last, t.SinceLast}} {
		c := since.change
		if c == nil || len(f.Risks) > 0 && c.better() {
			continue
		}
		out = append(out, fill(since.text.of(c), c.numbers()...))
		if c.Class == ReliableDeterioration {
			worse = join(t.Worse, w.told(c.Task, c.owned)) // once, whatever is worse
		}
	}
	return join(append(out, worse)...)
}

// told says who looks at it.
func (w *words) told(task string, owned bool) string {
	switch {
	case task == "":
		return ""
	case owned:
		return w.Client.Told.Therapist
	}
	return w.Client.Told.Practice
}

// better reports whether the text of a change praises it.
func (f *ChangeFacts) better() bool {
	return f.ReliableRecovery || f.Class == ReliableImprovement || f.Class != ReliableDeterioration && f.Recovery
}

// of picks the text of what a change amounts to.
func (c classed) of(f *ChangeFacts) string {
	switch {
	case f.ReliableRecovery:
		return c.ReliableRecovery
	case f.Class == ReliableImprovement:
		return c.Improvement
	case f.Class == ReliableDeterioration:
		return c.Deterioration
	case f.Recovery:
		return c.Recovery
	case f.Class == NoReliableChange:
		return c.NoChange
	}
	return c.Unclassified
}

func (a against) of(f *OwnMeanFacts) string {
	switch {
	case f.Mean == nil:
		return a.Few
	case f.Drop:
		return a.Drop
	}
	return a.Steady
}

// numbers are the names that texts about a score may fill in: title, score, low,
// high, band.
func numbers(f *Feedback) []string {
	s := f.Scores[0]
	out := []string{"title", f.Title, "score", s.Score.String(), "low", s.Low.String(), "high", s.High.String()}
	if s.Band != nil {
		out = append(out, "band", strings.ToLower(s.Band.Label[:1])+s.Band.Label[1:])
	}
	return out
}

// numbers are those of texts about a change: from, change.
func (f *ChangeFacts) numbers() []string {
	return []string{"from", f.Score.String(), "change", signed(f.Change)}
}

// numbers are those of texts about one's own mean: earlier, least, fall, mean, change.
func (f *OwnMeanFacts) numbers() []string {
	out := []string{"earlier", strconv.Itoa(f.Earlier), "least", strconv.Itoa(f.Least), "fall", f.Fall.String()}
	if f.Mean != nil {
		out = append(out, "mean", f.Mean.String(), "change", signed(*f.Change))
	}
	return out
}

// signed writes a change with its sign.
func signed(p Points) string {
	if p.Cmp(PointsOf(0)) > 0 {
		return "+" + p.String()
	}
	return p.String()
}

// gap is a name in braces.
var gap = regexp.MustCompile(`\{[A-Za-z]+\}`)

// fill puts values in the place of names. It says a name that has no value in the
// text, rather than an empty one; a test sees to it that none is left.
func fill(text string, pairs ...string) string {
	return gap.ReplaceAllStringFunc(text, func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if name == "{"+pairs[i]+"}" {
				return pairs[i+1]
			}
		}
		return name
	})
}

func join(sentences ...string) string {
	return strings.Join(slices.DeleteFunc(sentences, func(s string) bool { return s == "" }), " ")
}

// check finds a text that is missing.
func (w *words) check(file string) error {
	for name, c := range map[string]classed{"clinician.sinceFirst": w.Clinician.SinceFirst, "clinician.sinceLast": w.Clinician.SinceLast, "client.sinceFirst": w.Client.SinceFirst, "client.sinceLast": w.Client.SinceLast} {
		if slices.Contains([]string{c.Improvement, c.ReliableRecovery, c.Recovery, c.NoChange, c.Deterioration, c.Unclassified}, "") {
			return fmt.Errorf("%s: a text is missing in %s", file, name)
		}
	}
	for name, a := range map[string]against{"clinician.ownMean": w.Clinician.OwnMean, "client.ownMean": w.Client.OwnMean} {
		if slices.Contains([]string{a.Few, a.Steady, a.Drop}, "") {
			return fmt.Errorf("%s: a text is missing in %s", file, name)
		}
	}
	c, k := w.Clinician, w.Client
	if slices.Contains([]string{w.Language, w.Safety, c.Score, c.Band, c.None, c.Unfinished, c.Unstated, c.Bare, c.BareRisk, c.Estimated, c.Only, c.Undated, c.Undecided, c.Risk, k.Thanks, k.Higher, k.Lower, k.None, k.Unfinished, k.Unstated, k.Only, k.Undated, k.Undecided, k.Worse, k.Told.Therapist, k.Told.Practice}, "") {
		return fmt.Errorf("%s: a text is missing", file)
	}
	return nil
}
