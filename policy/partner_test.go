package policy_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"rapport/fhir"
	"rapport/fhir/store"
	"rapport/policy"
)

// brought is a referral that a partner brings here: a client of its own.
var brought = []string{
	`{"resourceType":"Patient","id":"carl","name":[{"family":"Family-carl"}]}`,
	`{"resourceType":"ServiceRequest","id":"carl-request","status":"active","intent":"order","subject":{"reference":"Patient/carl"},"requester":{"reference":"Organization/hospital"},"reasonCode":[{"text":"why"}]}`,
	`{"resourceType":"Condition","id":"carl-condition","subject":{"reference":"Patient/carl"}}`,
	`{"resourceType":"Task","id":"carl-task","status":"requested","intent":"order","for":{"reference":"Patient/carl"},"focus":{"reference":"ServiceRequest/carl-request"},"requester":{"reference":"Organization/hospital"},"owner":{"reference":"Organization/clinic"}}`,
}

func bring(ctx context.Context, t *testing.T, g fhir.Gate, bodies ...string) error {
	return g.Update(ctx, fhir.Act{Interaction: fhir.Transaction}, func(tx fhir.Tx) error {
		for _, b := range bodies {
			r := resource(t, b)
			if _, err := tx.As(fhir.Act{Interaction: fhir.Create, Type: r.Type}).Put(ctx, r, fhir.Condition{}); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestAPartnerBringsAClientAndSeesWhatItBroughtAndNothingElseOfIt(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	hospital := p.gate("hospital")
	if err := bring(ctx, t, hospital, brought...); err != nil {
		t.Fatal(err)
	}
	if w := p.log.last(); w.Who.Role != policy.Partner {
		t.Errorf("recorded as %+v", w)
	}
	// The clinic takes the client up and adds to the record.
	p.load(`{"resourceType":"EpisodeOfCare","id":"carl-episode","status":"active","patient":{"reference":"Patient/carl"},"careManager":{"reference":"Practitioner/mira"}}`,
		`{"resourceType":"Goal","id":"carl-goal","lifecycleStatus":"active","subject":{"reference":"Patient/carl"}}`,
		`{"resourceType":"Condition","id":"carl-condition","subject":{"reference":"Patient/carl"},"code":{"text":"corrected here"}}`)
	for _, key := range idsOf(brought) {
		if _, err := read(ctx, hospital, k(key)); err != nil {
			t.Errorf("%s, which it brought: %v", key, err)
		}
	}
	for _, key := range []string{"Goal/carl-goal", "EpisodeOfCare/carl-episode"} {
		_, err := read(ctx, hospital, k(key))
		refused(t, key+", which it did not bring", err, fhir.NotFound)
	}
	other := who("hospital")
	other.Grants = []fhir.Key{k("Organization/elsewhere")}
	for _, key := range idsOf(brought) {
		_, err := read(ctx, p.guard.For(other), k(key))
		refused(t, key+", to another partner", err, fhir.NotFound)
	}
}

func TestAPartnerBringsNothingForClientsOfThePractice(t *testing.T) {
	for what, bodies := range map[string][]string{
		"for a client that is not its own":  {`{"resourceType":"Condition","id":"new","subject":{"reference":"Patient/bert"}}`},
		"for a client that was referred":    {`{"resourceType":"Condition","id":"new","subject":{"reference":"Patient/anna"}}`},
		"for two, one of them its own":      {brought[0], `{"resourceType":"Appointment","id":"new","status":"booked","participant":[{"actor":{"reference":"Patient/carl"}},{"actor":{"reference":"Patient/bert"}}]}`},
		"under the id of a client":          {`{"resourceType":"Patient","id":"bert"}`},
		"for a client that is not there":    {`{"resourceType":"Condition","id":"new","subject":{"reference":"Patient/nobody"}}`},
		"an organisation of the practice's": {`{"resourceType":"Organization","id":"clinic","name":"taken over"}`},
	} {
		t.Run(what, func(t *testing.T) {
			p := open(t)
			p.load(world()...)
			if err := bring(t.Context(), t, p.gate("hospital"), bodies...); !fhir.Is(err, fhir.Forbidden) && !(what == "under the id of a client" && fhir.Is(err, fhir.Duplicate)) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// lockedStore notes the order in which a transaction locks and looks.
type lockedStore struct {
	store.Store
	mu  *sync.Mutex
	did *[]string
}

type lockedTx struct {
	store.Tx
	s lockedStore
}

func (s lockedStore) Update(ctx context.Context, f func(store.Tx) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error { return f(lockedTx{tx, s}) })
}

func (t lockedTx) Lock(ctx context.Context, ks ...store.MatchKey) error {
	t.s.note("lock")
	return t.Tx.Lock(ctx, ks...)
}

func (t lockedTx) Find(ctx context.Context, s fhir.Sight, q fhir.Query) (store.Page, error) {
	t.s.note("find")
	return t.Tx.Find(ctx, s, q)
}

func (s lockedStore) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*s.did = append(*s.did, what)
}

func TestAConditionalCreateLocksBeforeItLooks(t *testing.T) {
	inner := open(t)
	inner.load(world()...)
	var did []string
	s := lockedStore{inner.store, &sync.Mutex{}, &did}
	p := open(t, func(c *policy.Config) { c.Store = func(string) (store.Store, error) { return s, nil } })
	q := p.query("Goal?identifier=urn:g|1")
	if _, err := create(t.Context(), p.gate("mira"), goal(t, "new", "anna", "active"), fhir.Condition{IfNoneExist: &q}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(did, []string{"lock", "find"}) {
		t.Errorf("it did %q", did)
	}
}

func TestWhatIsReleasedLeavesWithTheLabelsByWhichItWasJudged(t *testing.T) {
	p := open(t)
	p.load(world()...)
	p.load(consent("bert", "c", "OPTIN", ""))
	const act = `{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"`
	for body, want := range map[string]string{
		`{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/bert"},"code":{"text":"Low mood"}}`: "R PSY ",
		// The code says what nobody labelled.
		`{"resourceType":"Condition","id":"c2","subject":{"reference":"Patient/bert"},"code":{"coding":[{"system":"http://hl7.org/fhir/sid/icd-10","code":"F10.2"}]}}`:                                          "R ETHUD PSY ",
		`{"resourceType":"Condition","id":"c3","meta":{"security":[` + act + `42CFRPart2"}]},"subject":{"reference":"Patient/bert"}}`:                                                                           "42CFRPart2 R PSY NORDSCLCD ",
		`{"resourceType":"Condition","id":"c4","meta":{"security":[{"system":"http://terminology.hl7.org/CodeSystem/v3-Confidentiality","code":"V"},` + act + `PSY"}]},"subject":{"reference":"Patient/bert"}}`: "V PSY ",
		`{"resourceType":"Patient","id":"bert"}`: "",
	} {
		in := resource(t, body)
		out, err := p.guard.Release(who("import"))(t.Context(), k("Organization/hospital"), []fhir.Resource{in})
		if err != nil || len(out) != 1 {
			t.Fatalf("%s: %v", in, err)
		}
		got := ""
		for c := range out[0].Root().Get("meta").Get("security").Elements() {
			got += c.Get("code").Text() + " "
		}
		if got != want || !fhir.SameContent(unlabelled(t, in), unlabelled(t, out[0])) {
			t.Errorf("%s leaves with %q, want %q: %s", in, got, want, out[0].Body())
		}
	}
}

// unlabelled is a resource without its meta.
func unlabelled(t *testing.T, r fhir.Resource) fhir.Resource {
	t.Helper()
	o := fhir.NewObject()
	for name, v := range r.Root().Members() {
		if name != "meta" {
			o.Set(name, v)
		}
	}
	out, err := o.Resource()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAPartnerCorrectsWhatItBroughtAndNothingElse(t *testing.T) {
	p := open(t)
	p.load(world()...)
	ctx := t.Context()
	hospital := p.gate("hospital")
	if err := bring(ctx, t, hospital, brought...); err != nil {
		t.Fatal(err)
	}
	p.load(`{"resourceType":"Condition","id":"carl-ours","subject":{"reference":"Patient/carl"},"recorder":{"reference":"Organization/hospital"}}`)
	other := who("hospital")
	other.Grants = []fhir.Key{k("Organization/elsewhere")}
	put := func(g fhir.Gate, body string) error {
		r := resource(t, body)
		return g.Update(ctx, fhir.Act{Interaction: fhir.Update, Type: r.Type, ID: r.ID}, func(tx fhir.Tx) error {
			_, err := tx.Put(ctx, r, fhir.Condition{})
			return err
		})
	}
	const right = `{"resourceType":"Condition","id":"carl-condition","subject":{"reference":"Patient/carl"},"code":{"text":"corrected there"}}`
	if err := put(hospital, right); err != nil {
		t.Errorf("its own: %v", err)
	}
	for what, c := range map[string]struct {
		gate fhir.Gate
		body string
		code fhir.Code
	}{
		"another's":                    {p.guard.For(other), right, fhir.NotFound},
		"ours, which names it":         {hospital, `{"resourceType":"Condition","id":"carl-ours","subject":{"reference":"Patient/carl"},"code":{"text":"x"}}`, fhir.Forbidden},
		"its own, about somebody else": {hospital, `{"resourceType":"Condition","id":"carl-condition","subject":{"reference":"Patient/anna"}}`, fhir.Forbidden},
		"its Task, more than its part": {hospital, `{"resourceType":"Task","id":"carl-task","status":"requested","intent":"plan","for":{"reference":"Patient/carl"},"focus":{"reference":"ServiceRequest/carl-request"},"requester":{"reference":"Organization/hospital"},"owner":{"reference":"Organization/clinic"}}`, fhir.Forbidden},
	} {
		refused(t, what, put(c.gate, c.body), c.code)
	}
	// A consent that shuts it out ends that, too.
	p.load(consent("carl", "carl-consent", "OPTOUT", ""))
	if err := put(hospital, right); err == nil {
		t.Error("corrected against the client's consent")
	}
}
