package practice

import "testing"

func TestEverySchemaCompiles(t *testing.T) {
	if _, err := compile(); err != nil {
		t.Fatal(err)
	}
}
