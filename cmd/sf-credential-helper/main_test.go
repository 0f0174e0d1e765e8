package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"sf-credential-helper/keystore"
	"sf-credential-helper/keystore/keychaintest"
	"sf-credential-helper/refresh/orgtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"sf-credential-helper": recorded})
}

// recorded is main, after a note of the arguments for those who look for secrets in them.
func recorded() {
	if path := os.Getenv("STORY_ARGS"); path != "" {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			panic(err)
		}
		_, _ = f.WriteString(strings.Join(os.Args, " ") + "\n")
		_ = f.Close()
	}
	main()
}

// world is what a process of the program lives in: a keychain, a home and an org.
type world struct {
	*testing.T
	keychain *keychaintest.Session
	org      *orgtest.Org
	login    orgtest.Login
	env      []string
}

// newWorld has a login of ada kept as "default", at an org that rotates refresh tokens.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, keychain: newKeychain(t), org: orgtest.New()}
	t.Cleanup(w.org.Close)
	w.org.SetRules(orgtest.Rules{ClientID: orgtest.DefaultClient, Rotate: true})
	w.env = append(cleanEnv(), "HOME="+t.TempDir())
	w.env = append(w.env, w.keychain.Env()...)
	w.logIn()
	return w
}

func newKeychain(t *testing.T) *keychaintest.Session {
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

// cleanEnv is the environment without what would lead out of the world. Under the race detector a
// process otherwise sleeps a second at its end.
func cleanEnv() []string {
	env := []string{"GORACE=atexit_sleep_ms=0"}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "SF_") && !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "SSL_") {
			env = append(env, v)
		}
	}
	return env
}

// command is a call of the program, not yet started.
func (w *world) command(stdin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.Context(), os.Args[0], args...)
	cmd.Args[0] = "sf-credential-helper"
	cmd.Env = w.env
	cmd.Stdin = strings.NewReader(stdin)
	return cmd
}

type outcome struct {
	stdout, stderr string
	status         int
}

func (w *world) run(stdin string, args ...string) outcome {
	w.Helper()
	var stdout, stderr strings.Builder
	cmd := w.command(stdin, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		w.Fatal(err)
	}
	return outcome{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must is run for calls that have to succeed; it returns stdout without its last line feed.
func (w *world) must(stdin string, args ...string) string {
	w.Helper()
	out := w.run(stdin, args...)
	if out.status != 0 {
		w.Fatalf("%v: exit status %d\n%s", args, out.status, out.stderr)
	}
	return strings.TrimSuffix(out.stdout, "\n")
}

// logIn keeps a new login of ada.
func (w *world) logIn() {
	w.Helper()
	w.login = w.org.Login("ada@example.com")
	w.must(string(w.login.Answer()), "store", "-i", orgtest.DefaultClient, "--replace")
}

// kept is the record in the keychain, as it lies there.
func (w *world) kept() string {
	w.Helper()
	record, err := w.keychain.Secret(keystore.Service, "default")
	if err != nil {
		w.Fatal(err)
	}
	return record
}

// alive checks that what is kept is what the org takes.
func (w *world) alive() bool {
	w.Helper()
	return strings.Contains(w.kept(), w.org.Current("ada@example.com").RefreshToken) &&
		w.org.Alive(w.org.Current("ada@example.com").RefreshToken)
}
