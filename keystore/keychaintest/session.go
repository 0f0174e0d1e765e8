// Package keychaintest gives a test a keychain of its own, as net/http/httptest
// gives it a server.
//
// A [Session] is the real thing: gnome-keyring on a private bus, unlocked, in a
// temporary directory. A [Fake] is a bus and a Secret Service in one socket,
// needs nothing installed, and fails on demand.
//
// A program finds either through its environment. go-keyring dials its bus once
// in a process, so a test that uses more than one keychain runs the program, or
// itself, as a child with Env.
package keychaintest

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// A Session is a private session bus, with or without a gnome-keyring on it. Its
// daemons die and its directory goes with Close, and also when the process that
// started it ends in any other way, kill -9 included.
//
// Clients may come in any number. The methods are for one goroutine at a time.
type Session struct {
	Addr string // a value for DBUS_SESSION_BUS_ADDRESS
	Dir  string // holds all that the session writes, its logs too

	keeper  *keeper
	bus     *daemon
	keyring *daemon
	closing sync.Once
}

// Missing says what keeps Start from working here, with the command that
// installs it, or "" if nothing does.
func Missing() string {
	if unfit != "" {
		return unfit
	}
	var missing []string
	for _, program := range []string{busProgram, keyringProgram} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if missing == nil {
		return ""
	}
	return "not installed: " + strings.Join(missing, ", ") +
		" (apt-get install -y --no-install-recommends dbus-daemon gnome-keyring)"
}

// Start returns a bus with an unlocked, empty gnome-keyring. Its
// collection is "login", which is also the alias "default". If anything is missing, the
// error is the text of Missing.
func Start() (*Session, error) {
	if m := Missing(); m != "" {
		return nil, errors.New(m)
	}
	s, err := StartBus()
	if err != nil {
		return nil, err
	}
	if err := s.startKeyring(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// StartBus returns a bus without a secret service, and without the means to
// start one. It needs dbus-daemon only.
func StartBus() (*Session, error) {
	if unfit != "" {
		return nil, errors.New(unfit)
	}
	k, err := newKeeper()
	if err != nil {
		return nil, err
	}
	s := &Session{Dir: k.dir, keeper: k}
	if err := s.startBus(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the daemons, waits until they are gone and the directory with them.
// Closing again does nothing.
func (s *Session) Close() {
	s.closing.Do(func() {
		for _, d := range []*daemon{s.keyring, s.bus} {
			if d != nil {
				d.kill()
			}
		}
		s.keeper.close()
	})
}

// Env returns what to append to the environment of a child, as "K=V", so that it
// sees this session and nothing of the host's.
func (s *Session) Env() []string { return environ(s.Addr, s.Dir) }

// Setenv does to this process what Env does to a child. It comes too late for a
// go-keyring that has dialled another bus.
func (s *Session) Setenv() error { return setenv(s.Env()) }

// environ is for programs that shall use the bus at addr. A display would let
// prompts appear on it, and the other variables lead to the host's daemons.
func environ(addr, runtimeDir string) []string {
	return []string{
		"DBUS_SESSION_BUS_ADDRESS=" + addr,
		"XDG_RUNTIME_DIR=" + runtimeDir,
		"DBUS_SESSION_BUS_PID=", "DBUS_STARTER_ADDRESS=", "DBUS_STARTER_BUS_TYPE=",
		"DISPLAY=", "WAYLAND_DISPLAY=",
		"GNOME_KEYRING_CONTROL=", "GNOME_KEYRING_PID=",
	}
}

func setenv(env []string) error {
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		if err := os.Setenv(k, v); err != nil {
			return err
		}
	}
	return nil
}
