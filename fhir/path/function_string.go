package path

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"unicode/utf8"
)

// ofText makes a function on one string with one string argument.
func ofText(f func(s, arg string) any) *function {
	return &function{min: 1, max: 1, run: func(m *machine, n *call, fr *frame, in, dst []Item) ([]Item, error) {
		s, ok, err := m.oneText(n, in)
		if err != nil || !ok {
			return dst, err
		}
		arg, ok, err := m.text(n.args[0], fr)
		if err != nil || !ok {
			return dst, err
		}
		if err := m.textRoom(n, len(s)); err != nil {
			return nil, err
		}
		if v := f(s, arg); v != nil {
			dst = append(dst, Value(v))
		}
		return dst, nil
	}}
}

// alone makes a function on one string.
func alone(f func(s string) any) *function {
	return &function{run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
		s, ok, err := m.oneText(n, in)
		if err != nil || !ok {
			return dst, err
		}
		if err := m.textRoom(n, len(s)); err != nil {
			return nil, err
		}
		return append(dst, Value(f(s))), nil
	}}
}

func runeIndex(s string, i int) any {
	if i < 0 {
		return int64(-1)
	}
	return int64(utf8.RuneCountInString(s[:i]))
}

func stringFunctions() map[string]*function {
	matching := func(whole bool) *function {
		return &function{min: 1, max: 2, regex: true, whole: whole, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			s, ok, err := m.oneText(n, in)
			if err != nil || !ok {
				return dst, err
			}
			re, ok, err := m.pattern(n, f)
			if err != nil || !ok {
				return dst, err
			}
			if err := m.matching(n, re, s); err != nil {
				return nil, err
			}
			return append(dst, Value(re.MatchString(s))), nil
		}}
	}
	return map[string]*function{
		"indexOf":     ofText(func(s, a string) any { return runeIndex(s, strings.Index(s, a)) }),
		"lastIndexOf": ofText(func(s, a string) any { return runeIndex(s, strings.LastIndex(s, a)) }),
		"startsWith":  ofText(func(s, a string) any { return strings.HasPrefix(s, a) }),
		"endsWith":    ofText(func(s, a string) any { return strings.HasSuffix(s, a) }),
		"contains":    ofText(func(s, a string) any { return strings.Contains(s, a) }),
		"upper":       alone(func(s string) any { return strings.ToUpper(s) }),
		"lower":       alone(func(s string) any { return strings.ToLower(s) }),
		"trim":        alone(func(s string) any { return strings.TrimSpace(s) }),
		"length":      alone(func(s string) any { return int64(utf8.RuneCountInString(s)) }),
		"encode":      ofText(encode),
		"decode":      ofText(decode),
		"escape": ofText(func(s, a string) any {
			switch a {
			case "html":
				return strings.NewReplacer("&#34;", "&quot;").Replace(html.EscapeString(s))
			case "json":
				b, _ := json.Marshal(s)
				return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(b[1 : len(b)-1]))
			}
			return nil
		}),
		"unescape": ofText(func(s, a string) any {
			switch a {
			case "html":
				return html.UnescapeString(s)
			case "json":
				return unescapeJSON(s)
			}
			return nil
		}),
		"substring":      {min: 1, max: 2, run: substring},
		"replace":        {min: 2, max: 2, run: replace},
		"matches":        matching(false),
		"matchesFull":    matching(true),
		"replaceMatches": {min: 2, max: 3, regex: true, run: replaceMatches},
		"toChars": {run: func(m *machine, n *call, _ *frame, in, dst []Item) ([]Item, error) {
			s, ok, err := m.oneText(n, in)
			if err != nil || !ok {
				return dst, err
			}
			if err := m.spend(n, len(s)); err != nil {
				return nil, err
			}
			for _, r := range s {
				dst = append(dst, Value(string(r)))
			}
			return dst, nil
		}},
		"split": {min: 1, max: 1, run: func(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
			s, ok, err := m.oneText(n, in)
			if err != nil || !ok {
				return dst, err
			}
			sep, ok, err := m.text(n.args[0], f)
			if err != nil || !ok {
				return dst, err
			}
			if err := m.spend(n, len(s)); err != nil {
				return nil, err
			}
			for _, p := range strings.Split(s, sep) {
				dst = append(dst, Value(p))
			}
			return dst, nil
		}},
		"join": {max: 1, run: join},
	}
}

// unescapeJSON takes quotes that are not escaped for what they are.
func unescapeJSON(s string) any {
	b := []byte{'"'}
	for i := 0; i < len(s); i++ {
		if s[i] == '"' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
		if s[i] == '\\' && i+1 < len(s) {
			i++
			b = append(b, s[i])
		}
	}
	var out string
	if json.Unmarshal(append(b, '"'), &out) != nil {
		return nil
	}
	return out
}

// pattern returns the regular expression of a call.
func (m *machine) pattern(n *call, f *frame) (*pattern, bool, error) {
	if n.regex != nil {
		return n.regex, true, nil
	}
	s, ok, err := m.text(n.args[0], f)
	if err != nil || !ok {
		return nil, false, err
	}
	if err := m.spend(n, 100+len(s)); err != nil {
		return nil, false, err
	}
	re, err := compilePattern(s, n.fn.whole)
	if err != nil {
		return nil, false, m.fault(n, "the regular expression cannot be compiled")
	}
	return re, true, nil
}

// matching counts what it costs to match s: time grows with the pattern, too.
func (m *machine) matching(n node, re *pattern, s string) error {
	if err := m.textRoom(n, len(s)); err != nil {
		return err
	}
	return m.spend(n, (1+len(s)/32)*(1+len(re.String())/32))
}

func encode(s, how string) any {
	switch how {
	case "hex":
		return hex.EncodeToString([]byte(s))
	case "base64":
		return base64.StdEncoding.EncodeToString([]byte(s))
	case "urlbase64":
		return base64.URLEncoding.EncodeToString([]byte(s))
	}
	return nil
}

func decode(s, how string) any {
	var b []byte
	var err error
	switch how {
	case "hex":
		b, err = hex.DecodeString(s)
	case "base64":
		b, err = base64.StdEncoding.DecodeString(s)
	case "urlbase64":
		b, err = base64.URLEncoding.DecodeString(s)
	default:
		return nil
	}
	if err != nil || !utf8.Valid(b) {
		return nil
	}
	return string(b)
}

func substring(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	s, ok, err := m.oneText(n, in)
	if err != nil || !ok {
		return dst, err
	}
	start, ok, err := m.integer(n.args[0], f)
	if err != nil || !ok {
		return dst, err
	}
	if err := m.textRoom(n, len(s)); err != nil {
		return nil, err
	}
	runes := []rune(s)
	if start < 0 || start >= int64(len(runes)) {
		return dst, nil
	}
	runes = runes[start:]
	if len(n.args) == 2 {
		length, ok, err := m.integer(n.args[1], f)
		if err != nil {
			return nil, err
		}
		if ok {
			runes = runes[:min(max(length, 0), int64(len(runes)))]
		}
	}
	return append(dst, Value(string(runes))), nil
}

func replace(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	s, ok, err := m.oneText(n, in)
	if err != nil || !ok {
		return dst, err
	}
	old, ok, err := m.text(n.args[0], f)
	if err != nil || !ok {
		return dst, err
	}
	with, ok, err := m.text(n.args[1], f)
	if err != nil || !ok {
		return dst, err
	}
	if err := m.textRoom(n, len(s)+strings.Count(s, old)*len(with)); err != nil {
		return nil, err
	}
	return append(dst, Value(strings.ReplaceAll(s, old, with))), nil
}

var groupNumber = regexp.MustCompile(`\$(\d+)`)

func replaceMatches(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	s, ok, err := m.oneText(n, in)
	if err != nil || !ok {
		return dst, err
	}
	re, ok, err := m.pattern(n, f)
	if err != nil || !ok {
		return dst, err
	}
	with, ok, err := m.text(n.args[1], f)
	if err != nil || !ok {
		return dst, err
	}
	if re.String() == "(?s)" {
		return append(dst, Value(s)), nil
	}
	if err := m.matching(n, re, s); err != nil {
		return nil, err
	}
	// A replacement may hold each group many times: bound the worst case.
	if err := m.textRoom(n, len(s)+(1+len(s))*len(with)); err != nil {
		return nil, err
	}
	if err := m.textRoom(n, len(s)*(1+strings.Count(with, "$"))); err != nil {
		return nil, err
	}
	return append(dst, Value(re.ReplaceAllString(s, groupNumber.ReplaceAllString(with, "$${$1}")))), nil
}

func join(m *machine, n *call, f *frame, in, dst []Item) ([]Item, error) {
	if len(in) == 0 {
		return dst, nil
	}
	sep := ""
	if len(n.args) == 1 {
		var err error
		if sep, _, err = m.text(n.args[0], f); err != nil {
			return nil, err
		}
	}
	parts := make([]string, len(in))
	size := len(sep) * len(in)
	for i, it := range in {
		s, ok := it.Text()
		if !ok {
			return nil, m.fault(n, "join takes strings")
		}
		parts[i] = s
		size += len(s)
	}
	if err := m.textRoom(n, size); err != nil {
		return nil, err
	}
	return append(dst, Value(strings.Join(parts, sep))), nil
}
