package practice

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"

	"rapport/fhir"
)

// Record is one native record of a practice. The types of this package whose
// names are those of the kinds implement it, by pointer.
type Record interface {
	// Kind is the record's kind: "session".
	Kind() string
	// Key names the record where it comes from.
	Key() SourceKey
	origin() *Origin
}

// SourceKey names a record: its kind, the system whose keys are meant, and the
// business key there. A business key includes the organisation that gave it, where
// keys are unique only within one.
type SourceKey struct{ Kind, System, Key string }

// IsZero reports whether k names nothing.
func (k SourceKey) IsZero() bool { return k == SourceKey{} }

// Origin is where a record comes from.
type Origin struct {
	// System is the URI under which the source's keys are unique; "" is the
	// practice itself, whose URI whoever maps the record knows.
	System string `json:"system,omitempty"`
	// BusinessKey is unique per kind within System and stays the same for the same
	// record for ever. Several parts are joined by the source's own rule.
	BusinessKey string `json:"key"`
}

func (o *Origin) origin() *Origin { return o }

// Format hides the content of every record, under every verb: records hold what
// no log may. They leave through [Encode] alone.
func (Origin) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(record)")) }

// LogValue hides the content in slog.
func (Origin) LogValue() slog.Value { return slog.StringValue("(record)") }

// OriginOf returns where a record says it comes from. The caller may fill in the
// system.
func OriginOf(r Record) *Origin { return r.origin() }

func (o *Origin) keyOf(kind string) SourceKey {
	return SourceKey{Kind: kind, System: o.System, Key: o.BusinessKey}
}

// Ref names another record, by one of three: its business key in the system of
// the record that refers to it (JSON: a string), a key of another system
// ({"system", "key"}), or a resource that is stored already
// ({"reference": "Patient/17"}).
type Ref struct {
	System string
	Key    string
	Stored fhir.Key
}

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

type refObject struct {
	System    string `json:"system,omitempty"`
	Key       string `json:"key,omitempty"`
	Reference string `json:"reference,omitempty"`
}

// MarshalJSON writes the shortest of the three forms.
func (r Ref) MarshalJSON() ([]byte, error) {
	if r.System == "" && r.Stored.IsZero() {
		return json.Marshal(r.Key)
	}
	return json.Marshal(refObject{r.System, r.Key, r.Stored.String()})
}

// UnmarshalJSON reads each of the three forms.
func (r *Ref) UnmarshalJSON(b []byte) error {
	*r = Ref{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &r.Key)
	}
	var o refObject
	if err := json.Unmarshal(b, &o); err != nil {
		return err
	}
	r.System, r.Key = o.System, o.Key
	if o.Reference != "" {
		k, ok := fhir.ParseKey(o.Reference)
		if !ok {
			return fmt.Errorf("a reference is of the form Type/id")
		}
		r.Stored = k
	}
	return nil
}

// kinds is the registry, in the order in which records rest on one another.
var kinds = []struct {
	name string
	make func() Record
}{
	{"organisation", func() Record { return new(Organisation) }},
	{"practitioner", func() Record { return new(Practitioner) }},
	{"client", func() Record { return new(Client) }},
	{"referral", func() Record { return new(Referral) }},
	{"episode", func() Record { return new(Episode) }},
	{"goal", func() Record { return new(Goal) }},
	{"plan", func() Record { return new(Plan) }},
	{"session", func() Record { return new(Session) }},
	{"workshop", func() Record { return new(Workshop) }},
	{"exercise", func() Record { return new(Exercise) }},
	{"notebook-entry", func() Record { return new(NotebookEntry) }},
	{"goal-rating", func() Record { return new(GoalRating) }},
	{"response", func() Record { return new(Response) }},
	{"consent", func() Record { return new(Consent) }},
	{"supervision", func() Record { return new(Supervision) }},
	{"process-note", func() Record { return new(ProcessNote) }},
}

// Kinds lists the kinds of records, those that others refer to first.
func Kinds() []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

// New makes an empty record of a kind; nil, false for a kind that is none.
func New(kind string) (Record, bool) {
	i := slices.IndexFunc(kinds, func(k struct {
		name string
		make func() Record
	}) bool {
		return k.name == kind
	})
	if i < 0 {
		return nil, false
	}
	return kinds[i].make(), true
}

// Encode writes a record as JSON that [Decode] reads.
func Encode(r Record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("practice: %s: %w", r.Kind(), err)
	}
	return b, nil
}
