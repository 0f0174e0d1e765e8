package keychaintest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/zalando/go-keyring"

	"sf-credential-helper/keystore/keychaintest"
)

// The test binary is its own client: with this in its environment it makes the
// calls named there ("set v1 get delete") and prints how the last one ended, for
// go-keyring dials one bus in a process and keeps to it.
const clientEnv = "KEYCHAINTEST_CLIENT"

const (
	service = "keychaintest"
	user    = "u"
)

func TestMain(m *testing.M) {
	switch script := os.Getenv(clientEnv); script {
	case "":
		os.Exit(m.Run())
	case "own":
		own()
	default:
		fmt.Print(outcome(strings.Fields(script)))
	}
}

// outcome is "ok", a value, an error, or a panic.
func outcome(script []string) (said string) {
	defer func() {
		if r := recover(); r != nil {
			said = fmt.Sprint("panic: ", r)
		}
	}()
	for len(script) > 0 {
		var err error
		said = "ok"
		switch script[0] {
		case "set":
			err = keyring.Set(service, user, script[1])
			script = script[1:]
		case "get":
			said, err = keyring.Get(service, user)
		case "delete":
			err = keyring.Delete(service, user)
		}
		if err != nil {
			return err.Error()
		}
		script = script[1:]
	}
	return said
}

// own starts a session, says where, and leaves it to be killed.
func own() {
	s, err := keychaintest.Start()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Dir)
	select {}
}

const hung = "hangs"

// client runs script in a process of its own. If ctx ends first, the outcome is
// hung.
func client(ctx context.Context, t *testing.T, env []string, script string) string {
	t.Helper()
	cmd := self(ctx, t, env, script)
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return hung
	}
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return string(out)
}

func self(ctx context.Context, t *testing.T, env []string, script string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program)
	// The race detector would let every client sleep for a second when it ends.
	cmd.Env = append(append(os.Environ(), env...), clientEnv+"="+script, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

func expect(t *testing.T, env []string, script, want string) {
	t.Helper()
	if got := client(t.Context(), t, env, script); got != want && !(want == goneText && strings.HasSuffix(got, want)) {
		t.Errorf("%s\n got: %s\nwant: %s", script, got, want)
	}
}

// expectHang gives the client a moment that is enough for every answer here.
func expectHang(t *testing.T, env []string, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got := client(ctx, t, env, script); got != hung {
		t.Errorf("%s does not hang: %s", script, got)
	}
}

func startSession(t *testing.T) *keychaintest.Session {
	t.Helper()
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
	s, err := keychaintest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func startFake(t *testing.T, o keychaintest.Options) *keychaintest.Fake {
	t.Helper()
	f, err := keychaintest.NewFake(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBe(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}
