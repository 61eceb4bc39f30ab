package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rapport/policy/keyring"
)

// certify writes a self-signed certificate for this machine and its key.
func certify(t *testing.T, files TLS, serial int64, until time.Time) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "rapport test"},
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	parsed, _ := x509.ParseCertificate(der)
	pool.AddCert(parsed)
	for file, block := range map[string]*pem.Block{files.Key: {Type: "PRIVATE KEY", Bytes: private}, files.Certificate: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}

// serving is a gateway in a process of its own.
type serving struct {
	*testing.T
	cmd    *exec.Cmd
	url    string
	log    *bytes.Buffer
	client *http.Client
	ended  chan error
}

// servingWith starts `gateway serve` with a configuration and waits until it is ready.
func servingWith(t *testing.T, dir, text string, client *http.Client) *serving {
	t.Helper()
	gateway := theGateway(t)
	path := filepath.Join(dir, "gateway.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &serving{T: t, cmd: exec.Command(gateway, "serve", "--config", path), log: &bytes.Buffer{}, client: client, ended: make(chan error, 1)}
	s.cmd.Stderr = s.log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.cmd.Process.Kill() })
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, at, ok := strings.Cut(lines.Text(), "health"); ok {
			s.url = strings.TrimSuffix(strings.TrimSpace(at), "/readyz")
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out); s.ended <- s.cmd.Wait() }()
	if s.url == "" {
		t.Fatalf("it did not start: %v %s", <-s.ended, s.log)
	}
	return s
}

func (s *serving) get(path string) (*http.Response, []byte) {
	s.Helper()
	r, err := s.client.Get(s.url + path)
	if err != nil {
		s.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r, b
}

// stop sends SIGTERM and returns how long it took to end.
func (s *serving) stop() time.Duration {
	s.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if err != nil {
			s.Errorf("it ended with %v: %s", err, s.log)
		}
	case <-time.After(30 * time.Second):
		s.Fatal("it does not end")
	}
	return time.Since(began)
}

// plainly is a configuration for any free port of this machine.
func plainly(t *testing.T, dir, more string) string {
	t.Helper()
	if _, err := keyring.Create(filepath.Join(dir, "keyring.yaml")); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprintf("listen: %s\nkeyring: keyring.yaml\nstore: {sqlite: rapport.db}\ntenants: [{id: lindental}]\n"+
		"issuers: [{url: https://login.example.org, audiences: [x], jwks: https://login.example.org/keys, tenant: {fixed: lindental}, clients: {a: {role: ehr, scope: system/*.rs}}}]\n%s", l.Addr(), more)
}

func TestTLSIsServedAndARenewedCertificateIsTakenUpWithoutARestart(t *testing.T) {
	dir := t.TempDir()
	files := TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	first := certify(t, files, 1, time.Now().Add(5*24*time.Hour))
	client := func(pool *x509.CertPool, most uint16) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MaxVersion: most}, DisableKeepAlives: true, ForceAttemptHTTP2: true}}
	}
	s := servingWith(t, dir, plainly(t, dir, "tls: {certificate: cert.pem, key: key.pem}\n"), client(first, 0))
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatal(s.url)
	}
	r, body := s.get("/readyz")
	if r.StatusCode != http.StatusOK || r.TLS.PeerCertificates[0].SerialNumber.Int64() != 1 || r.ProtoMajor != 2 || r.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%d %s %s %v", r.StatusCode, r.Proto, body, r.Header)
	}
	if !strings.Contains(string(body), "expires in") {
		t.Errorf("nobody is told that the certificate ends soon: %s", body)
	}
	if _, err := client(first, tls.VersionTLS11).Get(s.url + "/livez"); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if r, err := http.Get("http://" + strings.TrimPrefix(s.url, "https://") + "/livez"); err == nil && r.StatusCode == http.StatusOK {
		t.Error("plain HTTP is answered")
	}
	// Half of a renewal changes nothing; the whole of it does.
	if err := os.WriteFile(files.Certificate, []byte("-----BEGIN CERTIFICATE-----\nhalf"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(lookEvery + time.Second)
	s.get("/livez")
	s.client = client(certify(t, files, 2, time.Now().Add(90*24*time.Hour)), 0)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		r, err := s.client.Get(s.url + "/readyz")
		if err == nil {
			defer r.Body.Close()
			if b, _ := io.ReadAll(r.Body); r.TLS.PeerCertificates[0].SerialNumber.Int64() != 2 || strings.Contains(string(b), "expires in") {
				t.Errorf("not the new certificate: %s", b)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not taken up: %v\n%s", err, s.log)
		}
	}
	s.stop()
	if !strings.Contains(s.log.String(), "the old one stays in force") {
		t.Errorf("nothing was said of the bad file: %s", s.log)
	}
}

func TestACertificateThatCannotBeServedStopsTheStart(t *testing.T) {
	dir := t.TempDir()
	files := TLS{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	certify(t, files, 1, time.Now().Add(-time.Hour))
	if _, err := openCertificates(files, time.Now, nil); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("an expired one: %v", err)
	}
	for config, want := range map[string]string{
		"listen: 0.0.0.0:8443\n":                                                               "plain HTTP is served on loopback only",
		"listen: 0.0.0.0:8443\ntls: {certificate: c.pem}\n":                                    "both a certificate and its key",
		"listen: 0.0.0.0:8443\nurl: http://x.example\ntls: {certificate: c.pem, key: k.pem}\n": "must be https",
		"origins: ['*']\n": "the origin of one web site",
	} {
		_, err := loadText(t, config+"keyring: k\nstore: {sqlite: x.db}\ntenants: [{id: a}]\nclients: {}\ndevelopment: true\n")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", config, err)
		}
	}
}

func TestAStopAnswersWhatIsUnderWayAndEndsWithinTenSeconds(t *testing.T) {
	dir := t.TempDir()
	s := servingWith(t, dir, plainly(t, dir, "development: true\n"), http.DefaultClient)
	token, err := exec.Command(s.cmd.Path, "token", "--config", filepath.Join(dir, "gateway.yaml"), "--role", "integration").Output()
	if err != nil {
		t.Fatal(err)
	}
	if d := s.stop(); d >= drainTime {
		t.Errorf("with nothing to do it took %v: it waits for nobody", d)
	}
	s = servingWith(t, dir, string(must(os.ReadFile(filepath.Join(dir, "gateway.yaml")))), http.DefaultClient)
	// One request is still being sent when the stop comes, and ends; another never ends.
	slow, stuck := s.begin(string(token)), s.begin(string(token))
	defer stuck.Close()
	time.Sleep(2 * time.Second) // until they are under way, also on a busy machine
	took := make(chan time.Duration, 1)
	go func() { took <- s.stop() }()
	time.Sleep(500 * time.Millisecond)
	fmt.Fprint(slow, `{"resourceType":"Patient"}`)
	if r, err := http.ReadResponse(bufio.NewReader(slow), nil); err != nil || r.StatusCode != http.StatusCreated {
		t.Errorf("what was under way got no answer: %v %v", r, err)
	}
	if d := <-took; d > 10*time.Second {
		t.Errorf("it took %v", d)
	}
	for line := range strings.Lines(s.log.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Errorf("a line of the log is not structured: %s", line)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// begin sends the head of a request and leaves its body open.
func (s *serving) begin(token string) net.Conn {
	s.Helper()
	c, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.Fatal(err)
	}
	fmt.Fprintf(c, "POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/fhir+json\r\nContent-Length: 26\r\nConnection: close\r\n\r\n", strings.TrimSpace(token))
	return c
}
