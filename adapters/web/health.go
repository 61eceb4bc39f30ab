package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"rapport/fhir"
)

// Dependency is something the gateway needs or likes to have.
type Dependency struct {
	Name string
	// Vital: without it nothing can be served, so /readyz is 503.
	Vital bool
	// Check returns nil when it works. It should return soon after ctx ends; one
	// that does not counts as down. Its error reaches whoever asks: no secrets, no
	// addresses.
	Check func(ctx context.Context) error
}

// patience is how long a dependency may take to say how it is.
const patience = 2 * time.Second

// ready tells the truth about each dependency.
func (c *Config) ready(g *gin.Context) {
	ctx, cancel := context.WithTimeout(g.Request.Context(), patience)
	defer cancel()
	said := make([]<-chan error, len(c.Health))
	for i, d := range c.Health {
		said[i] = d.ask(ctx)
	}
	states := make([]*fhir.Object, len(c.Health))
	status, ready := http.StatusOK, true
	for i, d := range c.Health {
		err := <-said[i]
		states[i] = fhir.NewObject().Set("name", d.Name).Set("vital", d.Vital).Set("ok", err == nil)
		if err == nil {
			continue
		}
		states[i].Set("says", err.Error())
		if d.Vital {
			status, ready = http.StatusServiceUnavailable, false
		}
	}
	g.Data(status, "application/json", append(fhir.NewObject().Set("ready", ready).Set("dependencies", states).JSON(), '\n'))
}

// ask checks one dependency, whatever it does: hang, panic or answer.
func (d Dependency) ask(ctx context.Context) <-chan error {
	answered := make(chan error, 1)
	go func() {
		defer func() {
			if recover() != nil {
				answered <- errors.New("could not be checked")
			}
		}()
		answered <- d.Check(ctx)
	}()
	out := make(chan error, 1)
	go func() {
		select {
		case err := <-answered:
			out <- err
		case <-ctx.Done():
			out <- errors.New("did not answer in time")
		}
	}()
	return out
}
