package web

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"rapport/fhir"
)

func TestReadyzTellsTheTruthAboutEachDependency(t *testing.T) {
	works := func(context.Context) error { return nil }
	fails := func(context.Context) error { return errors.New("does not answer") }
	for name, c := range map[string]struct {
		health []Dependency
		status int
		want   string
	}{
		"all well": {[]Dependency{{"store", true, works}, {"redis", false, works}}, http.StatusOK,
			`{"ready":true,"dependencies":[{"name":"store","vital":true,"ok":true},{"name":"redis","vital":false,"ok":true}]}`},
		"the cache is down": {[]Dependency{{"store", true, works}, {"redis", false, fails}}, http.StatusOK,
			`{"ready":true,"dependencies":[{"name":"store","vital":true,"ok":true},{"name":"redis","vital":false,"ok":false,"says":"does not answer"}]}`},
		"the store is down": {[]Dependency{{"store", true, fails}, {"redis", false, works}}, http.StatusServiceUnavailable,
			`{"ready":false,"dependencies":[{"name":"store","vital":true,"ok":false,"says":"does not answer"},{"name":"redis","vital":false,"ok":true}]}`},
		"a check panics": {[]Dependency{{"policy", true, func(context.Context) error { panic("secret") }}}, http.StatusServiceUnavailable,
			`{"ready":false,"dependencies":[{"name":"policy","vital":true,"ok":false,"says":"could not be checked"}]}`},
		"none": {nil, http.StatusOK, `{"ready":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			f := serve(t, Config{Health: c.health})
			r := f.send(http.MethodGet, "/readyz", "", "Authorization")
			got, err := fhir.ParseNode(r.body)
			if err != nil {
				t.Fatal(err)
			}
			want, err := fhir.ParseNode([]byte(c.want))
			if err != nil {
				t.Fatal(err)
			}
			if r.StatusCode != c.status || !got.Same(want) {
				t.Errorf("%d %s, want %d %s", r.StatusCode, r.body, c.status, c.want)
			}
		})
	}
}

func TestADependencyThatNeverAnswersIsDown(t *testing.T) {
	forever := make(chan struct{})
	defer close(forever)
	f := serve(t, Config{Health: []Dependency{{"store", true, func(context.Context) error { <-forever; return nil }}}})
	began := time.Now()
	if r := f.send(http.MethodGet, "/readyz", ""); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if d := time.Since(began); d > patience+8*time.Second {
		t.Errorf("it took %v", d)
	}
}

func TestLivezAnswersWhateverElseIsDown(t *testing.T) {
	f := serve(t, Config{Health: []Dependency{{"store", true, func(context.Context) error { return errors.New("down") }}}})
	if r := f.send(http.MethodGet, "/livez", "", "Authorization"); r.StatusCode != http.StatusOK || string(r.body) != "ok\n" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}
