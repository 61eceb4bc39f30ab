package source

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rapport/fhir"
	"rapport/mapping/site"
)

// write puts files into a folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pack makes a zip of entries in order, name then content.
func pack(t *testing.T, entries ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(entries); i += 2 {
		e, err := w.Create(entries[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(e, entries[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(t.TempDir(), "upload.zip")
	if err := os.WriteFile(p, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAFolderAZipAndAFileGiveTheirTables(t *testing.T) {
	const csv = "id\n1\n2\n"
	dir := write(t, map[string]string{"clients.csv": csv, "visits.CSV": csv, "README.md": "no table", ".hidden.csv": csv})
	for name, c := range map[string]struct {
		path            string
		tables, skipped []string
	}{
		"folder":               {dir, []string{"clients.csv", "visits.CSV"}, []string{".hidden.csv", "README.md"}},
		"zip with a folder":    {pack(t, "up/", "", "up/visits.csv", csv, "up/clients.csv", csv, "__MACOSX/up/._clients.csv", "x", "up/notes.txt", "x"), []string{"clients.csv", "visits.csv"}, []string{"._clients.csv", "notes.txt"}},
		"one file":             {filepath.Join(dir, "clients.csv"), []string{"clients.csv"}, nil},
		"zip with a bad path":  {pack(t, "../../etc/clients.csv", csv), []string{"clients.csv"}, nil},
		"zip made on Windows":  {pack(t, `C:\up\clients.csv`, csv), []string{"clients.csv"}, nil},
		"zip with deep folder": {pack(t, "/a/b/c/clients.csv", csv), []string{"clients.csv"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(c.path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if d := cmp.Diff(c.tables, s.Tables()); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(c.skipped, s.Skipped()); d != "" {
				t.Error(d)
			}
			if len(s.Digest()) != 64 {
				t.Errorf("digest %q", s.Digest())
			}
			for range 2 { // a table can be read more than once
				rows, err := s.Open(context.Background(), s.Tables()[0], site.Format{})
				if err != nil {
					t.Fatal(err)
				}
				if r, err := rows.Next(); err != nil || r.Values[0] != "1" || r.Line != 2 {
					t.Errorf("%v %v", r, err)
				}
				if err := rows.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestTheDigestChangesWithTheContentAndNotWithTheFolder(t *testing.T) {
	digest := func(p string) string {
		s, err := Open(p)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return s.Digest()
	}
	a := digest(write(t, map[string]string{"a.csv": "id\n1\n", "b.csv": "id\n"}))
	if b := digest(write(t, map[string]string{"a.csv": "id\n1\n", "b.csv": "id\n"})); a != b {
		t.Error("the same files in another folder have another digest")
	}
	for _, other := range []map[string]string{
		{"a.csv": "id\n2\n", "b.csv": "id\n"}, {"b.csv": "id\n1\n", "a.csv": "id\n"}, {"a.csv": "id\n1\n"},
	} {
		if digest(write(t, other)) == a {
			t.Errorf("%v has the same digest", other)
		}
	}
}

func TestWhatCannotBeReadIsRefusedWithItsReason(t *testing.T) {
	torn, err := os.ReadFile(pack(t, "a.csv", "id\n1\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := write(t, map[string]string{"x.zip": "no zip", "torn.zip": string(torn[:len(torn)-30]), "x.docx": "x", "only.txt.gz": "x"})
	locked := bytes.Clone(torn)
	locked[6] |= 1                                           // local header: encrypted
	locked[bytes.Index(locked, []byte("PK\x01\x02"))+8] |= 1 // directory: encrypted
	if err := os.WriteFile(filepath.Join(dir, "locked.zip"), locked, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, says string }{
		"nothing there":         {filepath.Join(dir, "none.zip"), "no such file"},
		"no zip":                {filepath.Join(dir, "x.zip"), "not a whole zip"},
		"a zip cut off":         {filepath.Join(dir, "torn.zip"), "not a whole zip"},
		"another kind of file":  {filepath.Join(dir, "x.docx"), "give a folder of CSV files"},
		"an encrypted entry":    {filepath.Join(dir, "locked.zip"), "encrypted"},
		"one name twice":        {pack(t, "a/x.csv", "id\n", "b/X.csv", "id\n"), "twice"},
		"a zip without tables":  {pack(t, "a.txt", "x"), "no .csv file"},
		"an empty folder":       {t.TempDir(), "no .csv file"},
		"a device":              {os.DevNull, "neither a file nor a folder"},
		"more than it may hold": {pack(t, many()...), "more than 1000 entries"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(c.path)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.says) || fhir.Is(err, fhir.Exception) {
				t.Errorf("%v", err)
			}
		})
	}
}

func many() (out []string) {
	for i := range maxEntries + 1 {
		out = append(out, "f"+strings.Repeat("x", i%7)+string(rune('a'+i%26))+strings.Repeat("y", i/26)+".csv", "id\n")
	}
	return out
}

// 64 MiB of one row pack into some 64 KiB: past the free 16 MiB, 250-fold is the limit.
func bomb(t *testing.T) string {
	t.Helper()
	return pack(t, "bomb.csv", "id\n"+strings.Repeat("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", 2<<20))
}

func TestAZipBombIsRefusedBeforeARowIsRead(t *testing.T) {
	s, err := Open(bomb(t))
	if err == nil {
		s.Close()
		t.Fatal("it was opened")
	}
	if !fhir.Is(err, fhir.TooLong) {
		t.Errorf("it is refused with %v", err)
	}
}

func TestAZipBombThatLiesAboutItsSizeEndsWhereItSaidItWould(t *testing.T) {
	path := bomb(t)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The directory's entry: the unpacked size stands 24 bytes behind its signature.
	binary.LittleEndian.PutUint32(b[bytes.Index(b, []byte("PK\x01\x02"))+24:], 1000)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n := 0
	rows, err := s.Open(context.Background(), "bomb.csv", site.Format{})
	if err == nil {
		defer rows.Close()
		for ; err == nil; n++ {
			_, err = rows.Next()
		}
	}
	if !fhir.Is(err, fhir.TooLong) && !fhir.Is(err, fhir.Invalid) || n > 100 {
		t.Errorf("it ended behind %d rows with %v", n, err)
	}
}

func TestALinkDoesNotLeadOutOfTheFolder(t *testing.T) {
	out := write(t, map[string]string{"secret.csv": "id\nsecret\n"})
	dir := write(t, map[string]string{"a.csv": "id\n"})
	if err := os.Symlink(filepath.Join(out, "secret.csv"), filepath.Join(dir, "b.csv")); err != nil {
		t.Skip(err)
	}
	if s, err := Open(dir); err == nil {
		s.Close()
		t.Error("a link out of the folder was followed")
	}
}
