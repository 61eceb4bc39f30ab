//go:build ignore

package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What is read. Only what is used is named.
type (
	reference struct {
		URL      string `json:"url"`
		ValueURL string `json:"valueUrl"`
		Value    string `json:"valueString"`
	}
	typeRef struct {
		Code      string      `json:"code"`
		Profile   []string    `json:"profile"`
		Target    []string    `json:"targetProfile"`
		Extension []reference `json:"extension"`
	}
	constraint struct {
		Key        string `json:"key"`
		Severity   string `json:"severity"`
		Human      string `json:"human"`
		Expression string `json:"expression"`
	}
	element struct {
		Path    string               `json:"path"`
		Min     int                  `json:"min"`
		Max     string               `json:"max"`
		Base    struct{ Max string } `json:"base"`
		Type    []typeRef            `json:"type"`
		Content string               `json:"contentReference"`
		Binding *struct {
			Strength string `json:"strength"`
			ValueSet string `json:"valueSet"`
		} `json:"binding"`
		Constraint []constraint `json:"constraint"`
		Modifier   bool         `json:"isModifier"`
		Summary    bool         `json:"isSummary"`
	}
	structure struct {
		URL, Name, Kind, Type, Derivation string
		Abstract                          bool
		Base                              string `json:"baseDefinition"`
		Snapshot                          struct{ Element []element }
	}
	parameter struct {
		ID, URL, Code, Type, Expression string
		Base, Target                    []string
		Component                       []struct{ Definition, Expression string }
	}
	concept struct {
		Code    string
		Concept []concept
	}
	codeSystem struct {
		URL, Content string
		Concept      []concept
	}
	include struct {
		System   string
		Concept  []concept
		Filter   []json.RawMessage
		ValueSet []string
	}
	valueSet struct {
		URL     string
		Compose struct {
			Include []include
			Exclude []include
		}
	}
	compartment struct {
		Code, ID string
		Resource []struct {
			Code  string
			Param []string
		}
	}
)

// source is the package, by canonical URL or id.
type source struct {
	structures map[string]structure
	parameters []parameter
	systems    map[string]codeSystem
	sets       map[string]valueSet
	compart    []compartment
}

func read(file string) (*source, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	p := &source{structures: map[string]structure{}, systems: map[string]codeSystem{}, sets: map[string]valueSet{}}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		if err := p.add(filepath.Base(h.Name), b); err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	slices.SortFunc(p.parameters, func(a, b parameter) int { return cmp.Compare(a.URL, b.URL) })
	return p, nil
}

func (p *source) add(name string, b []byte) error {
	kind, _, _ := strings.Cut(name, "-")
	switch kind {
	case "StructureDefinition":
		var v structure
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		p.structures[v.URL] = v
	case "SearchParameter":
		var v parameter
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		p.parameters = append(p.parameters, v)
	case "CodeSystem":
		var v codeSystem
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		p.systems[v.URL] = v
	case "ValueSet":
		var v valueSet
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		p.sets[v.URL] = v
	case "CompartmentDefinition":
		var v compartment
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		p.compart = append(p.compart, v)
	}
	return nil
}
