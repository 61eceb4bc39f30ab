package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// migrateSQLite brings a file's schema up to date. Page size and WAL are set with
// the first table and stay.
func migrateSQLite(ctx context.Context, path, folder string) error {
	if err := ownFiles(path); err != nil {
		return err
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: url.Values{
		"_pragma": {"busy_timeout(10000)", "page_size(8192)", "journal_mode(wal)"}, "_txlock": {"immediate"}}.Encode()}
	db, err := driver.Open(u.String())
	if err != nil {
		return err
	}
	defer db.Close()
	return migrate(ctx, goose.DialectSQLite3, db, folder)
}

func migrate(ctx context.Context, d goose.Dialect, db *sql.DB, folder string, os ...goose.ProviderOption) error {
	sub, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d, db, sub, append(os, goose.WithDisableGlobalRegistry(true))...)
	if err != nil {
		return err
	}
	// A store that a newer gateway has changed is not ours to write: we would leave out
	// what it has learnt to keep.
	have, known := 0, 0
	if v, err := p.GetDBVersion(ctx); err == nil {
		have = int(v)
	}
	for _, s := range p.ListSources() {
		known = max(known, int(s.Version))
	}
	if have > known {
		return fmt.Errorf("a newer gateway has written here (schema %d, this one knows %d): start that one, or put back the copy from before the upgrade", have, known)
	}
	_, err = p.Up(ctx)
	if err == nil {
		return nil
	}
	// Another process may have done the same at the same time.
	if open, again := p.HasPending(ctx); again == nil && !open {
		return nil
	}
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		return fmt.Errorf("migration %s: %w", partial.Failed.Source.Path, partial.Err)
	}
	return err
}
