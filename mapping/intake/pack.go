package intake

import (
	"encoding/binary"

	"rapport/mapping/site"
)

// packed writes texts and numbers one behind the other, for the spill.
type packed []byte

func (p *packed) number(n int) { *p = binary.AppendUvarint(*p, uint64(n)) }

func (p *packed) text(s string) {
	p.number(len(s))
	*p = append(*p, s...)
}

func (p *packed) row(r site.Row) {
	p.number(r.Line)
	p.number(len(r.Values))
	for _, v := range r.Values {
		p.text(v)
	}
}

func (p *packed) records(rs []site.Record) {
	p.number(len(rs))
	for _, r := range rs {
		p.text(r.Kind)
		p.text(r.Key)
		p.text(string(r.JSON))
		p.number(len(r.Refs))
		for _, ref := range r.Refs {
			p.text(ref.Kind)
			p.text(ref.Key)
		}
		p.number(len(r.Used))
		for _, at := range r.Used {
			p.text(at.File)
			p.number(at.Line)
		}
	}
}

// unpacking reads what packed wrote: by us, in this run, so it is whole.
type unpacking []byte

func (u *unpacking) number() int {
	n, w := binary.Uvarint(*u)
	*u = (*u)[w:]
	return int(n)
}

func (u *unpacking) text() string {
	n := u.number()
	s := string((*u)[:n])
	*u = (*u)[n:]
	return s
}

func (u *unpacking) row(file string) site.Row {
	r := site.Row{Place: site.Place{File: file, Line: u.number()}}
	r.Values = make([]string, u.number())
	for i := range r.Values {
		r.Values[i] = u.text()
	}
	return r
}

func (u *unpacking) records() []site.Record {
	rs := make([]site.Record, u.number())
	for i := range rs {
		r := &rs[i]
		r.Kind, r.Key, r.JSON = u.text(), u.text(), []byte(u.text())
		r.Refs = make([]site.Ref, u.number())
		for j := range r.Refs {
			r.Refs[j] = site.Ref{Kind: u.text(), Key: u.text()}
		}
		r.Used = make([]site.Place, u.number())
		for j := range r.Used {
			r.Used[j] = site.Place{File: u.text(), Line: u.number()}
		}
	}
	return rs
}
