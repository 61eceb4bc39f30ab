package instrument

import (
	"os"
	"path/filepath"
	"testing"
)

// fixture returns the path of something beside the project, "fixtures/…" or
// "tools/…". Without it the test is skipped, or fails when REQUIRE_FIXTURES=1.
func fixture(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		p := filepath.Join(dir, "shared", name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	if os.Getenv("REQUIRE_FIXTURES") == "1" {
		t.Fatalf("shared/%s is not there, and REQUIRE_FIXTURES=1", name)
	}
	t.Skipf("shared/%s is not there", name)
	return ""
}
