package keyring

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func created(t testing.TB) (string, *Ring) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keyring.yaml")
	r, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, r
}

func TestXAESAgreesWithThePublishedVectors(t *testing.T) {
	// https://github.com/C2SP/C2SP/blob/main/XAES-256-GCM.md#test-vectors
	for _, v := range []struct {
		key       byte
		aad, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		x := newXAES([KeySize]byte(bytes.Repeat([]byte{v.key}, KeySize)))
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		got := x.seal(nil, nonce, []byte("XAES-256-GCM"), []byte(v.aad))
		if hex.EncodeToString(got) != v.want {
			t.Errorf("sealed to %x, the vector says %s", got, v.want)
		}
		if back, err := x.open(nonce, got, []byte(v.aad)); err != nil || string(back) != "XAES-256-GCM" {
			t.Errorf("opened to %q, %v", back, err)
		}
	}
}

func TestACreatedRingIsTheOneThatOpens(t *testing.T) {
	path, r := created(t)
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	again, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []string{IDs, Pseudonyms, Cursors, Cache, Notes, AuditSign, IssuerSign, TokenHash} {
		id, key := r.Key("a", purpose)
		id2, key2 := again.Key("a", purpose)
		if id != id2 || key != key2 {
			t.Errorf("%s: another key after opening", purpose)
		}
	}
	if es, _ := os.ReadDir(filepath.Dir(path)); len(es) != 1 {
		t.Errorf("%d files were left in the folder, want the keyring alone", len(es))
	}
}

func TestCreateNeverReplacesAFile(t *testing.T) {
	path, _ := created(t)
	before, _ := os.ReadFile(path)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("err = %v, want fs.ErrExist", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file changed")
	}

	path = filepath.Join(t.TempDir(), "k")
	var won int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := Create(path)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := Open(path); won != 1 || err != nil {
		t.Errorf("%d of 16 created it, then %v", won, err)
	}
}

func TestEveryTenantPurposeAndRootHasAKeyOfItsOwn(t *testing.T) {
	path, _ := created(t)
	r, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[[KeySize]byte]string{}
	for _, root := range r.roots {
		// Joined without lengths some of these would be the same text.
		for _, d := range [][3]string{
			{"a", "bc", ""}, {"ab", "c", ""}, {"abc", "", ""}, {"", "abc", ""}, {"a", "b", "c"}, {"", "", "abc"},
			{"a", IDs, ""}, {"b", IDs, ""}, {"a", Cache, ""}, {"a", Cache, "random"}, {"a", Cache, "synthetic"}, {"a", Cache, "nonce"},
		} {
			k, ok := r.derive(derivation{root.id, d[0], d[1], d[2]})
			if name := fmt.Sprint(root.id, d); !ok || seen[k] != "" {
				t.Errorf("%s has the key of %s", name, seen[k])
			} else {
				seen[k] = name
			}
		}
	}
	if r.Hash("t", TokenHash, "a", "bc") == r.Hash("t", TokenHash, "ab", "c") {
		t.Error("Hash joins its parts without their lengths")
	}
}

func TestRotationMovesAllButIdsAndPseudonyms(t *testing.T) {
	path, old := created(t)
	sealed := old.Seal("t", Notes, []byte("text"), []byte("n/1"))
	cursor := old.SealDeterministic("t", Cursors, []byte("page 2"), nil)
	signer, sig := old.Sign("t", []byte("checkpoint"))

	if _, err := Rotate(path); err != nil {
		t.Fatal(err)
	}
	ring, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, purpose := range []string{IDs, Pseudonyms, Cursors, Cache, Notes, AuditSign, TokenHash} {
		id0, k0 := old.Key("t", purpose)
		id1, k1 := ring.Key("t", purpose)
		stays := purpose == IDs || purpose == Pseudonyms
		if (id0 == id1) != stays || (k0 == k1) != stays {
			t.Errorf("%s: key stayed = %v, want %v", purpose, k0 == k1, stays)
		}
		if again, ok := ring.KeyByID(id0, "t", purpose); !ok || again != k0 {
			t.Errorf("%s: the old key is gone", purpose)
		}
	}
	if b, err := ring.Open("t", Notes, sealed, []byte("n/1")); err != nil || string(b) != "text" {
		t.Errorf("what the old key sealed opens to %q, %v", b, err)
	}
	if b, err := ring.Open("t", Cursors, cursor, nil); err != nil || string(b) != "page 2" {
		t.Errorf("an old cursor opens to %q, %v", b, err)
	}
	if !ring.Verify("t", signer, []byte("checkpoint"), sig) {
		t.Error("an old signature no longer verifies")
	}
	fresh := ring.Seal("t", Notes, []byte("text"), nil)
	if id, err := SealedBy(fresh); err != nil || id == signer {
		t.Errorf("the old key still seals: %v %v", id, err)
	}
	if _, err := old.Open("t", Notes, fresh, nil); !errors.Is(err, ErrOpen) {
		t.Errorf("a ring without the key says %v", err)
	}
	infos := ring.Infos()
	if len(infos) != 2 || !infos[0].Stable || infos[0].Active || !infos[1].Active || infos[1].Stable {
		t.Errorf("infos = %+v", infos)
	}
	if keys := ring.TokenKeys("i"); len(keys) != 2 || keys[0].ID != ring.active || !keys[1].Key.Equal(old.TokenKeys("i")[0].Key) {
		t.Error("the issuer's active key is not first, or its old one changed")
	}
}

func TestABrokenOffRotationIsSaidAndLosesNothing(t *testing.T) {
	path, r := created(t)
	if err := os.WriteFile(path+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(path); !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "keyring.yaml.lock") {
		t.Errorf("err = %v", err)
	}
	again, err := Open(path)
	if err != nil || again.active != r.active {
		t.Errorf("the ring changed: %v %v", again, err)
	}
}

func TestWhatIsSealedOpensOnlyWhereItBelongs(t *testing.T) {
	r := Random()
	for name, seal := range map[string]func(string, string, []byte, []byte) []byte{"random": r.Seal, "synthetic": r.SealDeterministic} {
		sealed := seal("a", Notes, []byte("secret"), []byte("Note/1"))
		if len(sealed) > len("secret")+Overhead {
			t.Errorf("%s: %d bytes more than the plaintext", name, len(sealed)-len("secret"))
		}
		if b, err := r.Open("a", Notes, sealed, []byte("Note/1")); err != nil || string(b) != "secret" {
			t.Fatalf("%s: %q %v", name, b, err)
		}
		for why, open := range map[string]func() ([]byte, error){
			"another tenant":    func() ([]byte, error) { return r.Open("b", Notes, sealed, []byte("Note/1")) },
			"another purpose":   func() ([]byte, error) { return r.Open("a", Cache, sealed, []byte("Note/1")) },
			"another context":   func() ([]byte, error) { return r.Open("a", Notes, sealed, []byte("Note/2")) },
			"no context":        func() ([]byte, error) { return r.Open("a", Notes, sealed, nil) },
			"another keyring":   func() ([]byte, error) { return Random().Open("a", Notes, sealed, []byte("Note/1")) },
			"the other kind":    func() ([]byte, error) { return r.Open("a", Notes, flip(sealed, 0, 3), []byte("Note/1")) },
			"context from head": func() ([]byte, error) { return r.Open("a", Notes, sealed, append([]byte{sealed[10]}, "Note/1"...)) },
			"nothing":           func() ([]byte, error) { return r.Open("a", Notes, nil, []byte("Note/1")) },
		} {
			if b, err := open(); !errors.Is(err, ErrOpen) || b != nil {
				t.Errorf("%s, %s: opened to %q, %v", name, why, b, err)
			}
		}
		for i := range sealed {
			if _, err := r.Open("a", Notes, flip(sealed, i, 1), []byte("Note/1")); !errors.Is(err, ErrOpen) {
				t.Errorf("%s: opens with byte %d altered: %v", name, i, err)
			}
			if _, err := r.Open("a", Notes, sealed[:i], []byte("Note/1")); !errors.Is(err, ErrOpen) {
				t.Errorf("%s: opens when cut to %d bytes: %v", name, i, err)
			}
		}
	}
}

func flip(b []byte, i int, mask byte) []byte {
	b = bytes.Clone(b)
	b[i] ^= mask
	return b
}

func TestSealingIsEqualOnlyWhenMeantToBe(t *testing.T) {
	r := Random()
	p, aad := []byte("page 2"), []byte("principal")
	if bytes.Equal(r.Seal("t", Cursors, p, aad), r.Seal("t", Cursors, p, aad)) {
		t.Error("two random sealings are equal")
	}
	one := r.SealDeterministic("t", Cursors, p, aad)
	if !bytes.Equal(one, r.SealDeterministic("t", Cursors, p, aad)) {
		t.Error("two deterministic sealings differ")
	}
	for why, other := range map[string][]byte{
		"plaintext": r.SealDeterministic("t", Cursors, []byte("page 3"), aad),
		"context":   r.SealDeterministic("t", Cursors, p, []byte("someone else")),
		"tenant":    r.SealDeterministic("u", Cursors, p, aad),
		"boundary":  r.SealDeterministic("t", Cursors, []byte("lpage 2"), []byte("principa")),
	} {
		if bytes.Equal(one[len(one)-22-24:len(one)-22], other[len(other)-22-24:len(other)-22]) {
			t.Errorf("the nonce is the same for another %s", why)
		}
	}
}

func TestAnythingSealedOpensAgain(t *testing.T) {
	r := Random()
	rapid.Check(t, func(t *rapid.T) {
		tenant, purpose := rapid.String().Draw(t, "tenant"), rapid.String().Draw(t, "purpose")
		p, aad := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext"), rapid.SliceOf(rapid.Byte()).Draw(t, "aad")
		seal := r.Seal
		if rapid.Bool().Draw(t, "deterministic") {
			seal = r.SealDeterministic
		}
		b, err := r.Open(tenant, purpose, seal(tenant, purpose, p, aad), aad)
		if err != nil || !bytes.Equal(b, p) {
			t.Fatalf("%x, %v", b, err)
		}
	})
}

func TestASignatureHoldsForItsTenantKeyAndMessageAlone(t *testing.T) {
	r := Random()
	id, sig := r.Sign("a", []byte("m"))
	if !r.Verify("a", id, []byte("m"), sig) {
		t.Fatal("does not verify")
	}
	keys := r.PublicKeys("a")
	if len(keys) != 1 || keys[0].ID != id || !ed25519.Verify(keys[0].Key, []byte("m"), sig) {
		t.Error("the exported public key does not verify it")
	}
	for why, ok := range map[string]bool{
		"tenant":    r.Verify("b", id, []byte("m"), sig),
		"key":       r.Verify("a", "k0", []byte("m"), sig),
		"message":   r.Verify("a", id, []byte("n"), sig),
		"signature": r.Verify("a", id, []byte("m"), flip(sig, 5, 1)),
		"none":      r.Verify("a", id, []byte("m"), nil),
	} {
		if ok {
			t.Errorf("verifies with another %s", why)
		}
	}
}

func TestARingDoesNotPrintItsSecrets(t *testing.T) {
	r := Random()
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		fmt.Fprintf(&b, verb+"\n", r)
		fmt.Fprintf(&b, verb+"\n", struct{ Keys *Ring }{r})
	}
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "ring", r, "in", struct{ Ring *Ring }{r})
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "ring", r)
	if err := json.NewEncoder(&b).Encode(struct{ Ring *Ring }{r}); err != nil {
		t.Fatal(err)
	}
	secret := r.roots[0].secret
	for _, s := range []string{string(secret[:]), hex.EncodeToString(secret[:4]), base64.StdEncoding.EncodeToString(secret[:])[:10], fmt.Sprint(secret[:4])[1:]} {
		if strings.Contains(strings.ToLower(b.String()), strings.ToLower(s)) {
			t.Errorf("a print holds the secret:\n%s", b.String())
		}
	}
	var none *Ring
	if s := fmt.Sprint(none); s != "keyring(none)" {
		t.Errorf("a nil ring prints %q", s)
	}
}

func FuzzOpen(f *testing.F) {
	r, err := parse([]byte(golden))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(r.Seal("t", Cursors, []byte("p"), []byte("a")))
	f.Add(r.SealDeterministic("t", Cursors, []byte("p"), []byte("a")))
	f.Add([]byte{1, 255, 'k'})
	f.Add([]byte{2, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = SealedBy(b)
		// Whatever opens was made by us: it must be openable with this context alone.
		if p, err := r.Open("t", Cursors, b, []byte("a")); err == nil && string(p) != "p" {
			t.Errorf("forged: %x opens to %x", b, p)
		}
	})
}

func BenchmarkSeal1K(b *testing.B) {
	r, p := Random(), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		r.Seal("tenant", Cache, p, []byte("Patient/1/_history/1"))
	}
}

func BenchmarkOpen1K(b *testing.B) {
	r := Random()
	sealed := r.Seal("tenant", Cache, make([]byte, 1024), []byte("Patient/1/_history/1"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Open("tenant", Cache, sealed, []byte("Patient/1/_history/1")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	r := Random()
	b.ReportAllocs()
	for b.Loop() {
		r.Key("tenant", IDs)
	}
}
