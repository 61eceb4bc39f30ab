package source

import (
	"bufio"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"rapport/fhir"
)

// decoded returns a reader of UTF-8. A byte order mark decides over what the
// site file says; without one and with encoding "" or "utf-8" bytes pass as they
// are and each row is checked.
func decoded(table string, r io.Reader, name string) (*bufio.Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(3)
	if err != nil && err != io.EOF {
		return nil, unreadable(table, err)
	}
	var enc encoding.Encoding
	switch {
	case len(head) >= 3 && head[0] == 0xEF && head[1] == 0xBB && head[2] == 0xBF:
		_, _ = br.Discard(3)
		return br, nil
	case len(head) >= 2 && (head[0] == 0xFF && head[1] == 0xFE || head[0] == 0xFE && head[1] == 0xFF):
		enc = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM)
	default:
		switch strings.ToLower(name) {
		case "", "utf-8":
			return br, nil
		case "windows-1252":
			enc = charmap.Windows1252
		case "iso-8859-1":
			enc = charmap.ISO8859_1
		case "iso-8859-15":
			enc = charmap.ISO8859_15
		case "utf-16":
			enc = unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
		default:
			return nil, fhir.Errorf(fhir.NotSupported, "", "%s: encoding %q is not known", table, name)
		}
	}
	return bufio.NewReaderSize(enc.NewDecoder().Reader(br), 64<<10), nil
}
