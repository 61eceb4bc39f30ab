package monitoring

import (
	"context"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/mapping/instrument"
)

// sought is what a plan asks for, by which its answers are known.
type sought struct {
	patient fhir.Key
	*instrument.Instrument
	course fhir.Key // EpisodeOfCare of the plan; zero: it names none
}

// takes reports whether a response or a score is by whom the questionnaire is for, and of
// the course of therapy of the plan where both name one: what a parent said of the client
// is not what the client was asked, and what was answered in one course is none of another.
func (s sought) takes(ctx context.Context, r fhir.Reader, x fhir.Resource) (bool, error) {
	who := s.Informant(x)
	if k, ok := fhir.ParseKey(who); ok && k.Type == "RelatedPerson" {
		who = "parent"
	}
	if who != s.Subject || s.course.IsZero() {
		return who == s.Subject, nil
	}
	course, err := instrument.CourseOf(ctx, r, x)
	return err == nil && (course.IsZero() || course == s.course), err
}

// last returns the last response to what is sought, nil for none. What is
// dated in the future is none: a mistyped year would silence the plan for ever.
func (u *Rules) last(ctx context.Context, r fhir.Reader, s sought, now time.Time) (out *Answer, err error) {
	today := midnight(now.In(u.zone()))
	until := func(param string) fhir.Clause { return until(param, today) }
	take := func(x fhir.Resource, date string) (taken bool, err error) {
		d, ok := dayOf(date, u.zone())
		if !ok || d.After(today) {
			return false, nil
		}
		if ok, err = s.takes(ctx, r, x); !ok || err != nil {
			return false, err
		}
		if out == nil || d.After(out.day) {
			out = &Answer{Reference: x.Key.String(), Date: d.Format(time.DateOnly), day: d}
		}
		return true, nil
	}
	responses := fhir.Query{
		Type:  "QuestionnaireResponse",
		Where: append(s.responses(), until("authored")),
		Sort:  []fhir.Order{{Param: "authored", Kind: fhir.Date, Desc: true}}, Count: 4,
	}
	for x, err := range fhir.VisibleMatches(ctx, r, responses) {
		if err != nil {
			return nil, err
		}
		if taken, err := take(x, x.Root().Get("authored").Text()); taken || err != nil {
			if err != nil {
				return nil, err
			}
			break
		}
	}
	scores := fhir.Query{
		Type: "Observation", Where: append(s.scores(), until("date")),
		Sort: []fhir.Order{{Param: "date", Kind: fhir.Date, Desc: true}}, Count: 20,
	}
	for x, err := range fhir.VisibleMatches(ctx, r, scores) {
		if err != nil {
			return nil, err
		}
		date := x.Root().Get("effectiveDateTime").Text()
		if d, ok := dayOf(date, u.zone()); ok && out != nil && !d.After(out.day) {
			break // older than a response
		}
		if !s.stated(x) {
			continue
		}
		if taken, err := take(x, date); taken || err != nil {
			return out, err
		}
	}
	return out, nil
}

// stated reports whether scores were stated for an instrument without items: those
// of a response are that response.
func (s sought) stated(o fhir.Resource) bool {
	url, _, _ := strings.Cut(instrument.Stated(o), "|")
	return url == s.URL
}

// answers counts the responses to what is sought from a day until today, and scores that a source states
// without one.
func (u *Rules) answers(ctx context.Context, r fhir.Reader, s sought, from, today time.Time) (n int, err error) {
	for _, of := range []struct {
		typ, param, date string
		where            []fhir.Clause
	}{
		{"QuestionnaireResponse", "authored", "authored", s.responses()},
		{"Observation", "date", "effectiveDateTime", s.scores()},
	} {
		q := fhir.Query{Type: of.typ, Where: append(of.where, when(of.param, fhir.Ge, from.AddDate(0, 0, -1)), until(of.param, today)), Count: spell}
		for x, err := range fhir.VisibleMatches(ctx, r, q) {
			if err != nil {
				return 0, err
			}
			d, ok := dayOf(x.Root().Get(of.date).Text(), u.zone())
			if !ok || d.Before(from) || d.After(today) || of.typ == "Observation" && !s.stated(x) {
				continue
			}
			if ok, err = s.takes(ctx, r, x); err != nil {
				return 0, err
			}
			if ok {
				n++
			}
		}
	}
	return n, nil
}

// The clauses of the searches.

func about(patient fhir.Key) fhir.Clause {
	return fhir.Clause{Param: "patient", Kind: fhir.Reference, Any: []fhir.Operand{{Ref: patient}}}
}

// responses are the clauses of the responses to an instrument that stand.
func (s sought) responses() []fhir.Clause {
	c := fhir.Clause{Param: "questionnaire", Kind: fhir.Reference}
	for _, u := range append([]string{s.URL}, s.Also...) {
		c.Any = append(c.Any, fhir.Operand{URL: u})
	}
	return []fhir.Clause{about(s.patient), c, coded("status", "completed", "amended")}
}

// scores are the clauses of the total scores of an instrument that stand.
func (s sought) scores() []fhir.Clause {
	total := s.Total().Code
	return []fhir.Clause{about(s.patient), coded("status", "final", "amended", "corrected"),
		{Param: "code", Kind: fhir.Token, Any: []fhir.Operand{{System: total.System, HasSystem: true, Code: total.Code}}}}
}

func coded(param string, codes ...string) fhir.Clause {
	c := fhir.Clause{Param: param, Kind: fhir.Token}
	for _, k := range codes {
		c.Any = append(c.Any, fhir.Operand{Code: k})
	}
	return c
}

// until bounds a search by a day, whatever the zone in which a moment of it was told.
func until(param string, day time.Time) fhir.Clause {
	return when(param, fhir.Lt, day.AddDate(0, 0, 2))
}

func when(param string, p fhir.Prefix, day time.Time) fhir.Clause {
	at := fhir.Micros(day)
	return fhir.Clause{Param: param, Kind: fhir.Date, Any: []fhir.Operand{{Prefix: p, Low: at, High: at}}}
}
