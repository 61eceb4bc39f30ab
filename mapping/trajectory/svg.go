package trajectory

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// picture is a drawing in units of a CSS pixel: marks in the order in which they are
// painted, then text above all of them.
type picture struct {
	width, height float64
	title, desc   string
	marks         []mark
	texts         []label
}

// mark is an SVG element without content: pairs of attribute and value.
type mark struct {
	name  string
	attrs []string
}

// label is a piece of text and the room that it takes.
type label struct {
	box
	text string
	size float64
	bold bool
	x, y float64 // of the start of its base line
}

// box is a rectangle.
type box struct{ left, top, right, bottom float64 }

func (b box) meets(o box) bool {
	return b.left < o.right && o.left < b.right && b.top < o.bottom && o.top < b.bottom
}

func (p *picture) draw(name string, attrs ...string) {
	p.marks = append(p.marks, mark{name, attrs})
}

func (p *picture) rect(b box, fill string, more ...string) {
	p.draw("rect", append([]string{"x", num(b.left), "y", num(b.top), "width", num(b.right - b.left), "height", num(b.bottom - b.top), "fill", fill}, more...)...)
}

func (p *picture) line(x1, y1, x2, y2 float64, stroke string, width float64, dash string) {
	attrs := []string{"x1", num(x1), "y1", num(y1), "x2", num(x2), "y2", num(y2), "stroke", stroke, "stroke-width", num(width)}
	if dash != "" {
		attrs = append(attrs, "stroke-dasharray", dash)
	}
	p.draw("line", attrs...)
}

// path draws straight lines through points: x, y, x, y.
func (p *picture) path(closed bool, fill, stroke string, width float64, xy ...float64) {
	var d strings.Builder
	for i := 0; i < len(xy); i += 2 {
		d.WriteString(string("ML"[min(i, 1)]) + num(xy[i]) + " " + num(xy[i+1]))
	}
	if closed {
		d.WriteString("Z")
	}
	p.draw("path", "d", d.String(), "fill", fill, "stroke", stroke, "stroke-width", num(width), "stroke-linejoin", "round")
}

// text makes a label with its base line at y; align is the share of its width that
// stands left of x: 0, 0.5 or 1.
func text(s string, x, y, size, align float64, bold bool) label {
	w := widthOf(s, size, bold)
	x -= w * align
	return label{box{x, y - 0.78*size, x + w, y + 0.24*size}, s, size, bold, x, y}
}

// put draws a label where nothing else is written; false where there is no room.
func (p *picture) put(l label, avoid ...box) bool {
	if l.left < 0 || l.right > p.width || l.top < 0 || l.bottom > p.height ||
		slices.ContainsFunc(avoid, l.meets) || slices.ContainsFunc(p.texts, func(o label) bool { return o.meets(l.box) }) {
		return false
	}
	p.texts = append(p.texts, l)
	return true
}

// svg writes the file.
func (p *picture) svg() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %[1]s %[2]s" role="img" aria-labelledby="trajectory-title trajectory-desc" font-family="Helvetica, Arial, sans-serif" fill="#111">`+"\n", num(p.width), num(p.height))
	fmt.Fprintf(&b, "<title id=\"trajectory-title\">%s</title>\n<desc id=\"trajectory-desc\">%s</desc>\n", escaped(p.title), escaped(p.desc))
	for _, m := range p.marks {
		b.WriteString("<" + m.name)
		for i := 0; i < len(m.attrs); i += 2 {
			b.WriteString(" " + m.attrs[i] + `="` + escaped(m.attrs[i+1]) + `"`)
		}
		b.WriteString("/>\n")
	}
	for _, l := range p.texts {
		weight := ""
		if l.bold {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(&b, `<text x="%s" y="%s" font-size="%s"%s>%s</text>`+"\n", num(l.x), num(l.y), num(l.size), weight, escaped(l.text))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}

// num is a length to hundredths of a pixel.
func num(f float64) string {
	s := strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', 2, 64), "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

// widths of Helvetica's characters from the blank to the tilde, in thousandths.
//
// Source: Adobe Font Metrics, Helvetica (Core 14).
var widths = [...]int{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
}

// stretch is by how much the widest of the fonts that stand in for Helvetica is wider:
// DejaVu Sans, where nothing else is installed.
const stretch = 1.19

// widthOf estimates the width of a text, rather too much than too little.
func widthOf(s string, size float64, bold bool) float64 {
	n := 0
	for _, r := range s {
		if r >= ' ' && int(r-' ') < len(widths) {
			n += widths[r-' ']
		} else {
			n += 700
		}
	}
	w := float64(n) / 1000 * size * stretch
	if bold {
		w *= 1.12
	}
	return w
}

// fitted shortens a text to a width.
func fitted(s string, size float64, bold bool, width float64) string {
	if widthOf(s, size, bold) <= width {
		return s
	}
	rs := []rune(s)
	for len(rs) > 0 && widthOf(string(rs)+"…", size, bold) > width {
		rs = rs[:len(rs)-1]
	}
	return strings.TrimRight(string(rs), " ,.;:") + "…"
}
