package research

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"

	"rapport/mapping/instrument"
)

// entry is one line of the dictionary: a variable of a table, or an item or scale of
// an instrument.
type entry struct {
	Table       string `json:"table"`
	Variable    string `json:"variable"`
	Label       string `json:"label"`
	Type        string `json:"type"`
	Unit        string `json:"unit,omitempty"`
	Codes       string `json:"codes,omitempty"`
	Missing     string `json:"missing,omitempty"`
	Instrument  string `json:"instrument,omitempty"`
	Version     string `json:"version,omitempty"`
	MissingRule string `json:"missingRule,omitempty"`
	Citation    string `json:"citation,omitempty"`
	Licence     string `json:"licence,omitempty"`
}

type dictionary []entry

// dictionary describes the tables, then what their variables take from instruments:
// "scores" of total and subscales, "items" of each item.
func (r *Release) dictionary(tables []table) (out dictionary) {
	for _, t := range tables {
		for _, c := range t.columns {
			missing := ""
			if c.empty != "" {
				missing = "empty: " + c.empty
			}
			out = append(out, entry{Table: t.name, Variable: c.name, Label: c.label, Type: c.kind.word(), Unit: c.unit, Codes: c.codes, Missing: missing})
		}
	}
	for _, in := range r.used() {
		cite, licence := strings.Join(in.Sources, "; "), strings.TrimSpace(in.Licence.Note)
		if in.Licence.Copyright != "" {
			licence += " " + in.Licence.Copyright
		}
		for i, s := range in.Scales {
			name := "total"
			if i > 0 {
				name = strings.ReplaceAll("sub_"+in.Slug+"_"+s.Slug, "-", "_")
			}
			e := entry{
				Table: "scores", Variable: name + " where instrument = " + in.Slug, Label: in.Title + ": " + s.Code.Display, Type: decimal.word(), Unit: "{score}",
				Codes: s.Low.String() + " to " + s.High.String() + ", " + s.Worse + " is worse" + bands(s), Instrument: in.Slug, Version: in.Version,
				MissingRule: missingRule(s), Citation: joined(s.Source, s.Banding, change(in, s), cite), Licence: licence,
			}
			out = append(out, e)
		}
		for _, it := range in.Items {
			label := it.Text
			if label == "" {
				label = it.Code.Display
			}
			if label == "" {
				label = "Item " + it.Link + " of " + in.Title + " (its text may not be shipped)"
			}
			out = append(out, entry{
				Table: "items", Variable: "link_id = " + it.Link + " where instrument = " + in.Slug, Label: label, Type: "code", Codes: options(in, it),
				Instrument: in.Slug, Version: in.Version, MissingRule: missingRule(in.Total()), Citation: cite, Licence: licence,
			})
		}
	}
	return out
}

func bands(s *instrument.Scale) string {
	var out []string
	for _, b := range s.Bands {
		out = append(out, b.Slug+" = "+b.Low.String()+" to "+b.High.String())
	}
	if len(out) == 0 {
		return ""
	}
	return "; bands: " + strings.Join(out, ", ")
}

func missingRule(s *instrument.Scale) string {
	if s.Missing == nil {
		return "no score when an item is missing: the publisher states no rule"
	}
	return "scaled up when enough items are answered, rounded: " + s.Missing.Source
}

func change(in *instrument.Instrument, s *instrument.Scale) string {
	if ch := in.Change; ch != nil && ch.Scale == s.Slug {
		return "reliable change from " + ch.Reliable.String() + " points, a case at " + ch.Case.String() + ": " + ch.Source
	}
	return ""
}

func options(in *instrument.Instrument, it *instrument.Item) string {
	list := in.Answers[it.Answers]
	if list == nil {
		return "a whole number"
	}
	var out []string
	for _, o := range list.Options {
		w := o.Code
		if o.Display != "" {
			w += " = " + o.Display
		}
		if o.Score != nil {
			w += " (" + o.Score.String() + ")"
		} else {
			w += " (counts as missing)"
		}
		out = append(out, w)
	}
	return strings.Join(out, "; ")
}

func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "; ")
}

func (d dictionary) writeCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	if err := c.Write([]string{"table", "variable", "label", "type", "unit", "codes", "missing", "instrument", "version", "missing_rule", "citation", "licence"}); err != nil {
		return err
	}
	for _, e := range d {
		if err := c.Write([]string{e.Table, e.Variable, e.Label, e.Type, e.Unit, e.Codes, e.Missing, e.Instrument, e.Version, e.MissingRule, e.Citation, e.Licence}); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func (d dictionary) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}
