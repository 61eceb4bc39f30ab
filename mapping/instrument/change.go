package instrument

// Class says what a change between two scores of one person amounts to.
//
// Source: Jacobson & Truax 1991, J Consult Clin Psychol 59:12–19; recovery as
// NHS Talking Therapies counts it: a case first, none last.
type Class string

// The classes. Unclassified is for an instrument for which no published constant
// is cited, and for scores that cannot be compared.
const (
	Unclassified          Class = "unclassified"
	ReliableImprovement   Class = "reliable-improvement"
	ReliableDeterioration Class = "reliable-deterioration"
	NoReliableChange      Class = "no-reliable-change"
)

// What a change is measured from: codes of [ChangeCodes] too.
const (
	sinceFirst   = "since-first"
	sinceLast    = "since-last"
	sinceBoth    = "since-first-and-last" // as the reason of a task
	sinceOwnMean = "since-own-mean"
	recovered    = "recovery"
	reliably     = "reliable-recovery"
	ownMeanDrop  = "own-mean-drop"
)

var changeConcepts = [...]concept{
	{sinceFirst, "Change since the first score of the course of therapy"},
	{sinceLast, "Change since the score before"},
	{sinceBoth, "Change since the first score of the course of therapy, and since the score before"},
	{sinceOwnMean, "Difference from the mean of the person's earlier scores of the course of therapy"},
	{string(ReliableImprovement), "Reliable improvement"},
	{string(ReliableDeterioration), "Reliable deterioration"},
	{string(NoReliableChange), "No reliable change"},
	{recovered, "Recovery: a case at first, none now"},
	{reliably, "Reliable recovery: recovery with reliable improvement"},
	{ownMeanDrop, "A drop below the person's own mean, by the instrument's rule"},
}

// Shift is the change from an earlier to a later score.
type Shift struct {
	Points           Points // later − earlier, as they are: lower may be better
	Class            Class
	Recovery         bool // a case earlier, none now
	ReliableRecovery bool
}

// Shift compares an earlier and a later score of one scale by the published
// constants of the instrument's file; for another scale it gives the points alone.
func (in *Instrument) Shift(s *Scale, earlier, later Points) Shift {
	out := Shift{Points: later.Minus(earlier), Class: Unclassified}
	ch := in.Change
	if ch == nil || in.scales[ch.Scale] != s {
		return out
	}
	worse := out.Points
	if s.Worse == "lower" {
		worse = earlier.Minus(later)
	}
	switch {
	case worse.Cmp(ch.Reliable) >= 0:
		out.Class = ReliableDeterioration
	case PointsOf(0).Minus(worse).Cmp(ch.Reliable) >= 0:
		out.Class = ReliableImprovement
	default:
		out.Class = NoReliableChange
	}
	out.Recovery = ch.caseAt(s, earlier) && !ch.caseAt(s, later)
	out.ReliableRecovery = out.Recovery && out.Class == ReliableImprovement
	return out
}

func (ch *Change) caseAt(s *Scale, p Points) bool {
	if s.Worse == "lower" {
		return p.Cmp(ch.Case) <= 0
	}
	return p.Cmp(ch.Case) >= 0
}

func (in *Instrument) changeDisplay(code string) string {
	for _, c := range changeConcepts {
		if c.code == code {
			return c.display
		}
	}
	return ""
}
