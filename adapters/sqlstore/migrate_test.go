package sqlstore

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
)

func TestAStoreThatANewerGatewayHasWrittenIsNotOpened(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rapport.db")
	open := func() error {
		db, err := OpenSQLite(t.Context(), path, Options{Clock: time.Now})
		if err == nil {
			err = db.Close()
		}
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	db, err := driver.Open("file:" + filepath.ToSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), "newer gateway") {
		t.Errorf("it is opened: %v", err)
	}
}
