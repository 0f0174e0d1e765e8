package keystore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/keystore/keychaintest"
)

// What the tests of this package share. go-keyring dials one bus in a process and keeps to it, and
// a call that hangs keeps the turn of its process, so a test with a keychain has a process to itself
// (alone), and what several processes do at once is done by children (see child_test.go).

const (
	aloneEnv = "KEYSTORE_TEST_ALONE" // the name of the test that this process is for
	childEnv = "KEYSTORE_TEST_CHILD" // the name of the child that this process is
)

// patience bounds every wait for what must happen. It is long, for a test that fails because its
// machine was busy tells nothing.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(runChild(name, os.Args[1:]))
	}
	os.Exit(runTests(m))
}

// runTests keeps the tests off what belongs to whoever runs them: locks go to a directory of our
// own, and a test that has not asked for a keychain finds none.
func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keystore")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	for k, v := range map[string]string{
		"XDG_STATE_HOME": dir, "XDG_RUNTIME_DIR": dir,
		"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(dir, "no-bus"),
		"DISPLAY":                  "", "WAYLAND_DISPLAY": "",
	} {
		if err := os.Setenv(k, v); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// alone reports whether t has this process to itself. Where it has not, alone runs t again in a
// process of its own, beside other tests, and hands over how that went.
func alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(aloneEnv) == t.Name() {
		return true
	}
	t.Parallel()
	var parts []string
	for part := range strings.SplitSeq(t.Name(), "/") {
		parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
	}
	cmd := self(t, aloneEnv+"="+t.Name())
	cmd.Args = append(cmd.Args, "-test.v", "-test.count=1", "-test.timeout=100s", "-test.run="+strings.Join(parts, "/"))
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name()+" (")) {
		t.Errorf("in a process of its own: %v\n%s", err, out)
	}
	return false
}

// self is this test binary as a process that sees our environment and what is added to it.
func self(t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), program)
	// The race detector would let every process sleep for a second when it ends.
	cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), env...)
	return cmd
}

// realKeychain gives this process, which must be alone, an unlocked gnome-keyring.
func realKeychain(t *testing.T) *keychaintest.Session {
	t.Helper()
	s, err := keychaintest.Start()
	must(t, err)
	t.Cleanup(s.Close)
	must(t, s.Setenv())
	return s
}

// fakeKeychain gives this process, which must be alone, a bus that fails on demand.
func fakeKeychain(t *testing.T, o keychaintest.Options) *keychaintest.Fake {
	t.Helper()
	f, err := keychaintest.NewFake(o)
	must(t, err)
	t.Cleanup(f.Close)
	must(t, f.Setenv())
	return f
}

func needSession(t *testing.T) {
	t.Helper()
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
}

// patient is a context that ends only when something hangs that should not.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// mustFail demands that err is want and is told on one line, without the traces of a panic.
func mustFail(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
	for _, trace := range []string{"\n", "\r", "goroutine", "panic", "runtime error", "nil pointer"} {
		if strings.Contains(err.Error(), trace) {
			t.Errorf("%q has %q in it", err, trace)
		}
	}
}

// briefly is a context that ends soon.
func briefly(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	t.Cleanup(cancel)
	return ctx
}

func mustKeep(t *testing.T, s Store, name, secret string) {
	t.Helper()
	if err := s.Set(patient(t), name, []byte(secret)); err != nil {
		t.Fatalf("Set %s: %v", name, err)
	}
}

func mustForget(t *testing.T, s Store, name string) {
	t.Helper()
	if err := s.Delete(patient(t), name); err != nil {
		t.Fatalf("Delete %s: %v", name, err)
	}
}

// expect demands that a name has this secret, "" for none.
func expect(t *testing.T, s Store, name, want string) {
	t.Helper()
	got, err := s.Get(patient(t), name)
	if want == "" {
		mustFail(t, err, ErrNotFound)
		return
	}
	if err != nil {
		t.Fatalf("Get %s: %v", name, err)
	}
	if string(got) != want {
		t.Fatalf("%s has %s, want %s", name, brief(string(got)), brief(want))
	}
}

func expectList(t *testing.T, s Store, want ...string) {
	t.Helper()
	got, err := s.List(patient(t))
	must(t, err)
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Fatalf("listed are %q, want %q", got, want)
	}
}

func brief(s string) string {
	if len(s) > 80 {
		return fmt.Sprintf("%q … (%d bytes)", s[:80], len(s))
	}
	return fmt.Sprintf("%q", s)
}
