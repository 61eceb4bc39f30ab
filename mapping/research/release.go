package research

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"rapport/fhir"
	"rapport/mapping/deid"
	"rapport/mapping/instrument"
)

// Defaults of a Config.
const (
	DefaultK    = 11        // the US CMS small-cell practice
	DefaultLeft = 1.0 / 6.0 // of the people may be left out
)

// Config is what a Release needs. Fields without a default are required.
type Config struct {
	Project string  // its name: releases of one are compared, pseudonyms are its own
	Profile string  // of package deid; "" is [deid.Expert]
	K       int     // people who must be alike; 0 is [DefaultK]
	Left    float64 // share of the people who may be left out; 0 is [DefaultLeft]
	// Key returns the key of a project: the same for ever, another for another project.
	Key         func(ctx context.Context, project string) (deid.Key, error)
	Secrets     deid.Secrets
	History     History
	Instruments *instrument.Library
	// Definitions holds the CodeSystems of the gateway: mapping.Definitions and
	// those of the instruments.
	Definitions []fhir.Resource
	// Stamp is the time of the release: the same when an interrupted job goes on.
	Stamp time.Time
}

// Release makes the research release of a project: who is in it, what leaves of each
// resource, tables, dictionary and report. One serves one job, and is used by one
// goroutine at a time. With the same Config and the same data it gives the same
// bytes.
type Release struct {
	c       Config
	profile *deid.Profile
	key     deid.Key
	cohort  *cohort
	deid    *deid.Deidentifier
	past    []Past
	members Members
	choice  choice

	released int // resources
}

// New makes a Release.
func New(c Config) (*Release, error) {
	if c.Profile == "" {
		c.Profile = deid.Expert
	}
	if c.K == 0 {
		c.K = DefaultK
	}
	if c.Left == 0 {
		c.Left = DefaultLeft
	}
	switch {
	case c.Project == "", c.Key == nil, c.Secrets == nil, c.History == nil, c.Instruments == nil, len(c.Definitions) == 0, c.Stamp.IsZero():
		return nil, errors.New("research: Project, Key, Secrets, History, Instruments, Definitions and Stamp are needed")
	case c.K < 1, c.Left < 0, c.Left >= 1:
		return nil, errors.New("research: K is at least 1, and Left a share below 1")
	}
	p, err := deid.Embedded(c.Profile)
	if err != nil {
		return nil, err
	}
	return &Release{c: c, profile: p}, nil
}

// Stamp returns the time that is told of everything in the release.
func (r *Release) Stamp() time.Time { return r.c.Stamp }

// Survey reads who would be in the release and decides how it is generalised. It refuses,
// with [fhir.BusinessRule], a release of too few people, one that cannot be made safe
// by generalising and leaving out, and one that differs from an earlier one of
// the project by so few that these could be told.
func (r *Release) Survey(ctx context.Context, all func(types ...string) iter.Seq2[fhir.Resource, error]) error {
	var err error
	if r.key, err = r.c.Key(ctx, r.c.Project); err != nil {
		return fmt.Errorf("research: the key of a project: %w", err)
	}
	if r.past, err = r.c.History.Past(ctx, r.c.Project); err != nil {
		return fmt.Errorf("research: earlier releases: %w", err)
	}
	c := newCohort(r.c.Instruments, r.profile.Codes(r.c.Definitions))
	if err := c.read(all); err != nil {
		return err
	}
	if len(c.people) == 0 {
		return fhir.Errorf(fhir.BusinessRule, "", "There is nobody in this export whose data may be used for research. A release is made of all of %s: "+
			"name them all in _type, or leave _type out.", strings.Join(Reads(), ", "))
	}
	if err := r.choose(ctx, c); err != nil {
		return err
	}
	if err := r.count(c, all); err != nil {
		return err
	}
	if err := c.settings(ctx, r.c.Secrets, r.c.K); err != nil {
		return err
	}
	r.cohort = c
	r.deid, err = r.deidentifier(c, c.leaves)
	return err
}

// choose decides who stays and how finely all are told of.
func (r *Release) choose(ctx context.Context, c *cohort) (err error) {
	day := r.c.Stamp.UTC().Truncate(24 * time.Hour)
	oldest := day.Year() - 90
	oldest += 9 - oldest%10 // for ten years the same, and so are the classes; see years
	quasis := make([]quasi, len(c.people))
	for i, p := range c.people {
		if p.secret, err = r.c.Secrets.Secret(ctx, p.key); err != nil {
			return err
		}
		p.pid = r.key.Pseudonym(p.secret, "Patient")
		quasis[i] = p.quasi
		quasis[i].past = pastOf(p.pid, r.past)
		if start := c.baseline(p); !start.IsZero() {
			quasis[i].start = start.Year()
		}
	}
	var few error
	distinct := func(ch choice) bool {
		few = apart(c.members(ch), r.past, r.c.K)
		return few == nil
	}
	ch, ok := generalise(quasis, r.c.K, oldest, r.c.Left, distinct)
	switch {
	case !ok && few != nil:
		return few
	case !ok:
		return fhir.Errorf(fhir.BusinessRule, "", "There are too few people, or too few who are alike, for a release in which each combination of gender, "+
			"years of birth, state and year of start is that of %d or more, also together with the project's earlier releases. "+
			"Wait for more people, or export a larger group.", r.c.K)
	}
	r.choice, r.members = ch, c.members(ch)
	c.settle(ch, quasis, day)
	return nil
}

// count decides which codes are told and finds out what leaves, since nothing may refer to
// anything else, nor leave without what it is of. It goes through everything until nothing
// changes, twice as a rule: what does not leave for want of one code takes others with it,
// of which fewer people may be left.
func (r *Release) count(c *cohort, all func(types ...string) iter.Seq2[fhir.Resource, error]) error {
	for first := true; ; first = false {
		now, before := newTally(), c.leaving
		leaves := func(k fhir.Key) bool { return first || c.among(before, k) }
		d, err := r.deidentifier(c, leaves)
		if err != nil {
			return err
		}
		c.leaving = map[uint64]struct{}{}
		for res, err := range all() {
			if err != nil {
				return err
			}
			of, codes, leaves := d.Tells(res)
			if !leaves {
				continue
			}
			c.leave(res.Key)
			if of != nil {
				now.note(of.Number, codes)
			}
		}
		now.decide(r.c.K)
		was := c.codes.told
		if first {
			c.codes = now
		}
		if c.codes.told = now.told; !first && len(was) == len(now.told) && len(before) == len(c.leaving) {
			break
		}
	}
	c.narrow()
	return nil
}

func (r *Release) deidentifier(c *cohort, leaves func(fhir.Key) bool) (*deid.Deidentifier, error) {
	return deid.New(deid.Config{
		Profile: r.profile, Key: r.key, Instruments: r.c.Instruments, Definitions: r.c.Definitions,
		Person: c.person, Setting: c.setting, Code: c.codes.code, Leaves: leaves,
	})
}

// Reads lists the types that a Survey must be able to read, whatever types leave.
func Reads() []string { return append([]string{"Patient"}, read...) }

// Transform rewrites a resource; it implements [fhir.Transform].
func (r *Release) Transform(ctx context.Context, res fhir.Resource) (fhir.Resource, bool, error) {
	if r.deid == nil {
		return fhir.Resource{}, false, errors.New("research: Transform before Survey")
	}
	out, keep, err := r.deid.Transform(ctx, res)
	if keep {
		r.released++
	}
	return out, keep, err
}

// Attach writes tables, dictionary, disclosure report and a readme, and records
// the release in the history of its project. It reads nothing more: what the tables
// tell was read by Survey.
func (r *Release) Attach(ctx context.Context, _ func(types ...string) iter.Seq2[fhir.Resource, error], create func(name, mediaType string) (io.WriteCloser, error)) error {
	if r.cohort == nil {
		return errors.New("research: Attach before Survey")
	}
	p := parcel{create: create}
	tables := r.tables()
	for i := range tables {
		t := &tables[i]
		p.write(t.name+".csv", "text/csv;charset=utf-8;header=present", t.writeCSV)
		p.write(t.name+".parquet", "application/vnd.apache.parquet", t.writeParquet)
	}
	entries := r.dictionary(tables)
	p.write("dictionary.csv", "text/csv;charset=utf-8;header=present", entries.writeCSV)
	p.write("dictionary.json", "application/json", entries.writeJSON)
	now := pastFrom(r.cohort.tells())
	now.At, now.Profile = r.c.Stamp, r.profile.Name
	report := r.report(now)
	p.write("disclosure.json", "application/json", report.writeJSON)
	p.write("disclosure.html", "text/html;charset=utf-8", report.writeHTML)
	p.write("README.md", "text/markdown;charset=utf-8", func(w io.Writer) error { return r.readme(w, tables, report, p.files) })
	if p.err != nil {
		return p.err
	}
	return r.c.History.Record(ctx, r.c.Project, r.past, now)
}
