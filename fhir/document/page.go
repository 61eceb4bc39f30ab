package document

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
)

//go:embed page.html
var pageText string

//go:embed page.css
var style string

var pages = template.Must(template.New("page").Funcs(template.FuncMap{
	"style": func() template.CSS { return template.CSS(style) },
	"day":   day,
	"upper": upper,
}).Parse(pageText))

// Policy is the Content-Security-Policy to serve a page with: it may use its one
// style, and nothing else at all.
func Policy() string {
	h := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(h[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// Page returns the document as an HTML page to read and to print.
func (r *Referral) Page() ([]byte, error) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page", r); err != nil {
		return nil, fmt.Errorf("page of a referral: %w", err)
	}
	return b.Bytes(), nil
}

// Made is the day on which the document was made.
func (r *Referral) Made() string { return r.At.UTC().Format("2 January 2006") }
