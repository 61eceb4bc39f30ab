package sqlstore

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// value is what a resource sorts by: nothing, a number or a text.
type value struct {
	Kind byte    `json:"k,omitempty"` // 0 nothing, 'i', 'f', 't'
	Int  int64   `json:"i,omitempty"`
	Real float64 `json:"r,omitempty"`
	Text string  `json:"t,omitempty"`
}

func (v value) arg() any {
	switch v.Kind {
	case 'i':
		return v.Int
	case 'f':
		return v.Real
	}
	return v.Text
}

func (v *value) read(st *sqlite3.Stmt, col int) {
	switch st.ColumnType(col) {
	case sqlite3.INTEGER:
		*v = value{Kind: 'i', Int: st.ColumnInt64(col)}
	case sqlite3.FLOAT:
		*v = value{Kind: 'f', Real: st.ColumnFloat(col)}
	case sqlite3.TEXT:
		*v = value{Kind: 't', Text: st.ColumnText(col)}
	default:
		*v = value{}
	}
}

// Scan implements sql.Scanner, by which pgx fills it.
func (v *value) Scan(from any) error {
	switch x := from.(type) {
	case nil:
		*v = value{}
	case int64:
		*v = value{Kind: 'i', Int: x}
	case float64:
		*v = value{Kind: 'f', Real: x}
	case string:
		*v = value{Kind: 't', Text: x}
	case []byte:
		*v = value{Kind: 't', Text: string(x)}
	default:
		return fmt.Errorf("nothing sorts by a %T", from)
	}
	return nil
}
