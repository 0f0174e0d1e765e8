package keychaintest_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/zalando/go-keyring"

	"sf-credential-helper/keystore/keychaintest"
)

const (
	lockedText    = "failed to unlock correct collection '/org/freedesktop/secrets/collection/login'"
	emptyText     = "failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'"
	noServiceText = "The name org.freedesktop.secrets was not provided by any .service files"
)

func TestSessionKeepsValues(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	expect(t, s.Env(), "get", keyring.ErrNotFound.Error())
	expect(t, s.Env(), "get", keyring.ErrNotFound.Error())
	expect(t, s.Env(), "set one get", "one")
	expect(t, s.Env(), "set two", "ok")
	if v, err := s.Secret(service, user); err != nil || v != "two" {
		t.Errorf("Secret: %q, %v", v, err)
	}
	expect(t, s.Env(), "delete", "ok")
	expect(t, s.Env(), "delete", keyring.ErrNotFound.Error())
}

func TestSessionBehindTheBack(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	must(t, s.Put(service, user, "planted"))
	must(t, s.Put(service, user, "planted again"))
	expect(t, s.Env(), "get", "planted again")
	items, err := s.Items()
	must(t, err)
	if len(items) != 1 {
		t.Fatalf("%d items: %v", len(items), items)
	}
	for k, v := range map[string]string{"service": service, "username": user} {
		if items[0][k] != v {
			t.Errorf("attribute %s is %q", k, items[0][k])
		}
	}
	must(t, s.Remove(service, user))
	mustBe(t, s.Remove(service, user), keychaintest.ErrNotFound)
	_, err = s.Secret(service, user)
	mustBe(t, err, keychaintest.ErrNotFound)
	expect(t, s.Env(), "get", keyring.ErrNotFound.Error())
}

func TestSessionLock(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	must(t, s.Put(service, user, "v"))
	must(t, s.Lock())
	expect(t, s.Env(), "get", lockedText)
	expect(t, s.Env(), "set w", lockedText)
	must(t, s.Unlock())
	expect(t, s.Env(), "get", "v")
}

func TestSessionStop(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	must(t, s.Stop())
	expectHang(t, s.Env(), "get")
	must(t, s.Cont())
	expect(t, s.Env(), "set v get", "v")
}

func TestSessionKillAndRestart(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	expect(t, s.Env(), "get", keyring.ErrNotFound.Error())
	must(t, s.Put(service, user, "v"))
	must(t, s.Kill())
	expect(t, s.Env(), "get", noServiceText)
	if s.Kill() == nil || s.Stop() == nil {
		t.Error("a daemon that is gone could be killed and stopped")
	}
	must(t, s.Restart())
	expect(t, s.Env(), "get", "v")
	must(t, s.Stop())
	must(t, s.Restart())
	expect(t, s.Env(), "get", "v")
}

func TestBusWithoutService(t *testing.T) {
	t.Parallel()
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
	s, err := keychaintest.StartBus()
	must(t, err)
	defer s.Close()
	expect(t, s.Env(), "get", noServiceText)
	expect(t, s.Env(), "set v", noServiceText)
}

func TestSessionsAreApart(t *testing.T) {
	t.Parallel()
	a, b := startSession(t), startSession(t)
	must(t, a.Put(service, user, "a"))
	expect(t, b.Env(), "get", keyring.ErrNotFound.Error())
	must(t, b.Put(service, user, "b"))
	expect(t, a.Env(), "get", "a")
	a.Close()
	expect(t, b.Env(), "get", "b")
}

// The daemons die with a thread, which must not be the caller's: this one ends
// with its goroutine.
func TestSessionOutlivesTheThreadOfStart(t *testing.T) {
	t.Parallel()
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
	var s *keychaintest.Session
	var err error
	started := make(chan struct{})
	go func() {
		defer close(started)
		runtime.LockOSThread()
		s, err = keychaintest.Start()
	}()
	<-started
	must(t, err)
	defer s.Close()
	for range 10 {
		expect(t, s.Env(), "set v get", "v")
	}
}

// The host's session would show in the environment of the daemons.
func TestSessionKeepsTheHostOut(t *testing.T) {
	for _, k := range []string{"DISPLAY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "GNOME_KEYRING_CONTROL"} {
		t.Setenv(k, "/host/session")
	}
	t.Setenv("HOME", "")
	s := startSession(t)
	for _, pid := range processes(t, s.Dir) {
		environ, _ := os.ReadFile(filepath.Join(pid, "environ"))
		if bytes.Contains(environ, []byte("/host/session")) {
			t.Errorf("a daemon sees the host: %q", environ)
		}
	}
	must(t, s.Lock())
	expect(t, s.Env(), "get", lockedText)
	must(t, s.Setenv())
	if got := os.Getenv("DBUS_SESSION_BUS_ADDRESS") + os.Getenv("DISPLAY"); got != s.Addr {
		t.Errorf("Setenv leaves %q", got)
	}
}

func BenchmarkStart(b *testing.B) {
	if m := keychaintest.Missing(); m != "" {
		b.Skip(m)
	}
	for b.Loop() {
		s, err := keychaintest.Start()
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		s.Close()
		b.StartTimer()
	}
}
