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
	take := func(e fhir.Entry, date string) (more bool, err error) {
		d, ok := dayOf(date, u.zone())
		if !ok || d.After(today) {
			return true, nil
		}
		if ok, err = s.takes(ctx, r, e.Resource); !ok || err != nil {
			return true, err
		}
		if out == nil || d.After(out.day) {
			out = &Answer{Reference: e.Key.String(), Date: d.Format(time.DateOnly), day: d}
		}
		return false, nil
	}
	responses := fhir.Query{
		Type:  "QuestionnaireResponse",
		Where: append(s.responses(), until("authored")),
		Sort:  []fhir.Order{{Param: "authored", Kind: fhir.Date, Desc: true}}, Count: 4,
	}
	err = each(ctx, r, responses, func(e fhir.Entry) (bool, error) {
		return take(e, e.Resource.Root().Get("authored").Text())
	})
	if err != nil {
		return nil, err
	}
	scores := fhir.Query{
		Type: "Observation", Where: append(s.scores(), until("date")),
		Sort: []fhir.Order{{Param: "date", Kind: fhir.Date, Desc: true}}, Count: 20,
	}
	err = each(ctx, r, scores, func(e fhir.Entry) (bool, error) {
		date := e.Resource.Root().Get("effectiveDateTime").Text()
		if d, ok := dayOf(date, u.zone()); ok && out != nil && !d.After(out.day) {
			return false, nil // older than a response
		}
		if !s.stated(e.Resource) {
			return true, nil
		}
		return take(e, date)
	})
	return out, err
}

// stated reports whether scores were stated for an instrument without items: those
// of a response are that response.
func (s sought) stated(o fhir.Resource) bool {
	for x := range o.Root().Get("extension").Elements() {
		url, _, _ := strings.Cut(x.Get("valueCanonical").Text(), "|")
		if x.Get("url").Text() == statedURL && url == s.URL {
			return true
		}
	}
	return false
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
		err = each(ctx, r, q, func(e fhir.Entry) (bool, error) {
			d, ok := dayOf(e.Resource.Root().Get(of.date).Text(), u.zone())
			if !ok || d.Before(from) || d.After(today) || of.typ == "Observation" && !s.stated(e.Resource) {
				return true, nil
			}
			ok, err := s.takes(ctx, r, e.Resource)
			if ok {
				n++
			}
			return true, err
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// each walks over all matches until f says that it is enough. A caller that may not
// search a type finds nothing of it.
func each(ctx context.Context, r fhir.Reader, q fhir.Query, f func(fhir.Entry) (more bool, err error)) error {
	for {
		set, err := r.Search(ctx, q)
		if fhir.Is(err, fhir.Forbidden) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, e := range set.Entries {
			if e.Mode != fhir.Match {
				continue
			}
			if more, err := f(e); err != nil || !more {
				return err
			}
		}
		if set.Next == "" {
			return nil
		}
		q.After = set.Next
	}
}

// visible reads a resource; one that is not there, deleted or not for the caller is
// the zero Resource.
func visible(ctx context.Context, r fhir.Reader, k fhir.Key) (fhir.Resource, error) {
	if k.IsZero() {
		return fhir.Resource{}, nil
	}
	res, err := r.Read(ctx, k)
	for _, c := range []fhir.Code{fhir.NotFound, fhir.Deleted, fhir.Forbidden} {
		if fhir.Is(err, c) {
			return fhir.Resource{}, nil
		}
	}
	return res, err
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
