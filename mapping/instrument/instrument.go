package instrument

// Canonical is the base of the URLs of what this package defines.
const Canonical = "https://rapport.example/fhir"

// The code systems of this package's own, for what LOINC has no code for.
const (
	Instruments  = Canonical + "/CodeSystem/instrument"       // the instrument itself: "k10p"
	ScaleCodes   = Canonical + "/CodeSystem/instrument-score" // a score: "k10p-total"
	ItemCodes    = Canonical + "/CodeSystem/instrument-item"  // an item: "k10p-1"
	BandCodes    = Canonical + "/CodeSystem/score-band"       // "phq-9-moderate"
	ChangeCodes  = Canonical + "/CodeSystem/score-change"     // [Class] and what it is measured from
	RiskCodes    = Canonical + "/CodeSystem/risk"             // "phq-9-item-9"
	answerSystem = Canonical + "/CodeSystem/"                 // + name of an answer list
	loinc        = "http://loinc.org"
)

// Instrument is one questionnaire as its file states it. It is immutable once
// loaded and safe for concurrent use.
type Instrument struct {
	Slug    string             `yaml:"-"`         // folder: "phq-9"
	Title   string             `yaml:"title"`     // for people
	Name    string             `yaml:"name"`      // for programs: "PHQ9"
	Version string             `yaml:"version"`   // of the definition, not of the instrument
	URL     string             `yaml:"url"`       // canonical of the Questionnaire, without version
	Also    []string           `yaml:"also"`      // canonicals of the same instrument elsewhere, with items by code
	Date    string             `yaml:"date"`      // of the definition
	Lang    string             `yaml:"language"`  // of the item texts, BCP 47; "" for one without text
	Text    bool               `yaml:"text"`      // whether item texts ship; see Licence
	Subject string             `yaml:"informant"` // who answers: "self", "parent"
	Period  string             `yaml:"period"`    // what time the answers are about, for people
	Panel   Code               `yaml:"panel"`     // of the whole
	Licence Licence            `yaml:"licence"`
	Sources []string           `yaml:"sources"` // literature on the whole
	Answers map[string]*Answer `yaml:"answers"` // answer lists by name
	Items   []*Item            `yaml:"items"`   // in the order asked
	Scales  []*Scale           `yaml:"scales"`  // the total first
	Change  *Change            `yaml:"change"`  // nil: no published constant is cited
	OwnMean *OwnMean           `yaml:"ownMean"` // nil: scores are not compared with the person's own mean
	Risks   []*Risk            `yaml:"risks"`

	byLink map[string]int    // linkId, its aliases and item codes → Items
	scores map[string]*Scale // linkIds under which a response may state a score
	scales map[string]*Scale
}

// Code is a coding; System defaults to LOINC.
type Code struct {
	System  string `yaml:"system"`
	Code    string `yaml:"code"`
	Display string `yaml:"display"`
}

// Licence says on what terms the instrument may be used and what of it we ship.
type Licence struct {
	Copyright string `yaml:"copyright"` // goes into Questionnaire.copyright
	Note      string `yaml:"note"`      // what is allowed
	Source    string `yaml:"source"`    // who says so
}

// Answer is a list of answer options that items share.
type Answer struct {
	System  string    `yaml:"system"` // "" : a code system of ours, named as the list
	Options []*Option `yaml:"options"`

	name   string
	byCode map[string]*Option // codes and values
	low    Points
	high   Points
}

// Option is one answer.
type Option struct {
	Code    string  `yaml:"code"`
	Display string  `yaml:"display"` // "" where the text may not ship
	Value   string  `yaml:"value"`   // as entered on paper and in files; defaults to the score
	Score   *Points `yaml:"score"`   // nil: an answer that counts as a missing one ("unable to rate")
}

// Item is one question.
type Item struct {
	Link    string   `yaml:"link"`    // linkId
	Also    []string `yaml:"also"`    // linkIds in the Questionnaires of Instrument.Also
	Code    Code     `yaml:"code"`    // the zero Code is made of slug and linkId in [ItemCodes]
	Text    string   `yaml:"text"`    // "" where it may not ship
	Answers string   `yaml:"answers"` // name of an answer list; "" for an integer
	Min     *int64   `yaml:"min"`     // integer items
	Max     *int64   `yaml:"max"`
	Unless  *Unless  `yaml:"unless"` // not asked when …

	list *Answer
}

// Unless names an answer that makes an item pointless.
type Unless struct {
	Item string `yaml:"item"`
	Is   string `yaml:"is"` // code of the option
}

// Scale is a score that is made of items or of other scales.
type Scale struct {
	Slug    string            `yaml:"slug"` // "total", "conduct"
	Code    Code              `yaml:"code"`
	Also    []string          `yaml:"also"`    // linkIds of the score in the Questionnaires of Instrument.Also
	Items   []string          `yaml:"items"`   // linkIds
	Of      []string          `yaml:"of"`      // or slugs of scales whose values are added up
	Reverse []string          `yaml:"reverse"` // items that count the other way round
	Recode  map[string]Points `yaml:"recode"`  // item score → what it counts here
	Mean    bool              `yaml:"mean"`    // the mean of the items, to hundredths, instead of their sum
	Low     Points            `yaml:"low"`     // of the published range
	High    Points            `yaml:"high"`
	Worse   string            `yaml:"worse"` // "higher" or "lower": which way is bad
	Missing *Missing          `yaml:"missing"`
	Zero    *Unless           `yaml:"zero"` // the answer by which the score is 0 without its items
	Source  string            `yaml:"source"`
	Bands   []*Band           `yaml:"bands"`
	Banding string            `yaml:"banding"` // source of the bands

	items   []int  // into Instrument.Items
	reverse []bool // same order
	of      []*Scale
	weights [][]Points // same order: what each option of the item's list counts
}

// Missing is the publisher's rule for unanswered items: with at least Least
// answered, the score is their sum scaled to the number of items, rounded to a
// whole number.
type Missing struct {
	Least  int    `yaml:"least"`
	Source string `yaml:"source"`
}

// Band is a named part of a scale's range.
type Band struct {
	Slug  string `yaml:"slug"`
	Label string `yaml:"label"`
	Low   Points `yaml:"low"`
	High  Points `yaml:"high"`
}

// Change holds the published constants that tell change from chance.
type Change struct {
	Scale    string `yaml:"scale"`
	Reliable Points `yaml:"reliable"` // this many points or more are reliable change
	Case     Points `yaml:"case"`     // at or beyond it, a case
	Source   string `yaml:"source"`
}

// OwnMean is the rule by which a score is set against the mean of the person's own
// earlier scores of the same course of therapy: for what has no norms, or none
// that would say anything about one person.
type OwnMean struct {
	Scale   string `yaml:"scale"`   // the first of the instrument's scales
	Least   int    `yaml:"least"`   // so many earlier scores make a mean
	Fall    Points `yaml:"fall"`    // this many points or more to the worse are a drop
	Display string `yaml:"display"` // what the flag says
	Source  string `yaml:"source"`  // who says so
	Reason  string `yaml:"reason"`  // why these numbers
}

// Risk is an answer that a person must look at.
type Risk struct {
	Slug    string `yaml:"slug"`
	Item    string `yaml:"item"`
	AtLeast Points `yaml:"atLeast"` // fires at this item score and above
	Display string `yaml:"display"` // what the flag says
	Source  string `yaml:"source"`

	item int
}

// Canonical returns url|version.
func (in *Instrument) Canonical() string { return in.URL + "|" + in.Version }

// Total returns the scale that stands for the whole.
func (in *Instrument) Total() *Scale { return in.Scales[0] }

// Scale returns a scale by its slug, or nil.
func (in *Instrument) Scale(slug string) *Scale { return in.scales[slug] }

// Item returns an item by linkId, alias or code, or nil.
func (in *Instrument) Item(name string) *Item {
	if i, ok := in.byLink[name]; ok {
		return in.Items[i]
	}
	return nil
}

// band returns the band of a score, nil if the scale has none.
func (s *Scale) band(p Points) *Band {
	for _, b := range s.Bands {
		if p.Cmp(b.Low) >= 0 && p.Cmp(b.High) <= 0 {
			return b
		}
	}
	return nil
}
