//go:build unix && !darwin

package keystore

import (
	"bufio"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"

	"sf-credential-helper/keystore/keychaintest"
)

// godbus starts a bus where there is none, which outlives us and has no keychain.
func TestNoBusIsStarted(t *testing.T) {
	for about, address := range map[string]string{"no-address": "", "autolaunch": "autolaunch:"} {
		t.Run(about, func(t *testing.T) {
			if !alone(t) {
				return
			}
			mark := launcher(t)
			t.Setenv(busVariable, address)
			t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
			if hostHasBus() {
				// It would be the keychain of whoever runs this.
				must(t, findBus())
				return
			}
			for _, deed := range []string{"get", "set", "delete", "list"} {
				err := do(patient(t), &Keychain{}, deed, "org", "x")
				mustFail(t, err, ErrUnavailable)
				if !strings.Contains(err.Error(), busVariable) {
					t.Errorf("%q does not say what is missing", err)
				}
			}
			if said, err := os.ReadFile(mark); err == nil {
				t.Errorf("a bus was started: %s", said)
			}
		})
	}
}

// Without a launcher's mark the test above would be worth nothing.
func TestLauncherLeavesItsMark(t *testing.T) {
	if !alone(t) {
		return
	}
	if hostHasBus() {
		t.Skip("there is a session bus here, and it is not ours to call")
	}
	mark := launcher(t)
	t.Setenv(busVariable, "")
	// A call that does not look for the bus first.
	_, err := survive(func() (string, error) { return keyring.Get(Service, "org") })
	if said, readErr := os.ReadFile(mark); err == nil || readErr != nil {
		t.Errorf("the launcher said %q, %v; the call %v", said, readErr, err)
	}
}

func hostHasBus() bool {
	_, err := os.Stat(filepath.Join("/run/user", strconv.Itoa(os.Getuid()), "bus"))
	return err == nil
}

// launcher puts a dbus-launch into PATH that starts nothing and leaves a mark.
func launcher(t *testing.T) (mark string) {
	t.Helper()
	dir := t.TempDir()
	mark = filepath.Join(dir, "mark")
	script := "#!/bin/sh\necho started >>'" + mark + "'\nexit 1\n"
	must(t, os.WriteFile(filepath.Join(dir, "dbus-launch"), []byte(script), 0o700))
	t.Setenv("PATH", dir)
	return mark
}

// godbus does not look where the session says its directory is.
func TestBusOfTheRuntimeDirectoryIsFound(t *testing.T) {
	for _, c := range []struct{ about, dir, address string }{
		{"no-address", "runtime", ""},
		{"autolaunch", "runtime", "autolaunch:"},
		{"escaped", "run time,a=b;c%d", ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			if !alone(t) {
				return
			}
			f := fakeKeychain(t, keychaintest.Options{})
			dir := filepath.Join(t.TempDir(), c.dir)
			must(t, os.Mkdir(dir, 0o700))
			socket := strings.TrimPrefix(f.Addr, "unix:path=")
			must(t, os.Symlink(socket, filepath.Join(dir, "bus")))
			mark := launcher(t)
			t.Setenv("XDG_RUNTIME_DIR", dir)
			t.Setenv(busVariable, c.address)
			mustKeep(t, &Keychain{}, "org", "x")
			if _, err := os.Stat(mark); err == nil || f.Len() != 2 {
				t.Errorf("%d items; a bus was started: %t", f.Len(), err == nil)
			}
		})
	}
}

func TestRelativeRuntimeDirectoryIsIgnored(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "here")
	for _, dir := range runtimeDirs() {
		if !filepath.IsAbs(dir) {
			t.Errorf("%s is looked into", dir)
		}
	}
}

// An address that is given is taken as it is, whatever else there may be.
func TestAddressIsObeyed(t *testing.T) {
	f, err := keychaintest.NewFake(keychaintest.Options{})
	must(t, err)
	defer f.Close()
	dir := t.TempDir()
	must(t, os.Symlink(strings.TrimPrefix(f.Addr, "unix:path="), filepath.Join(dir, "bus")))
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv(busVariable, "unix:path=/given")
	must(t, findBus())
	if got := os.Getenv(busVariable); got != "unix:path=/given" {
		t.Errorf("the address is now %s", got)
	}
}

// Where there is no keychain, everything says so, fast, on one line, and with what was said.
func TestNoKeychain(t *testing.T) {
	for about, c := range map[string]struct {
		address func(*testing.T) string
		says    string
	}{
		"stale address":       {func(t *testing.T) string { return "unix:path=" + filepath.Join(t.TempDir(), "gone") }, "no such file or directory"},
		"nobody listens":      {deafSocket, "connection refused"},
		"garbage":             {func(*testing.T) string { return "garbage" }, "no transport"},
		"disabled":            {func(*testing.T) string { return "disabled:" }, "unsupported transport"},
		"unix without a path": {func(*testing.T) string { return "unix:foo=bar" }, "invalid address"},
		"a bus that hangs up": {socketThat(func(net.Conn) {}), ""},
		"a bus that hangs up when asked": {socketThat(func(c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('\n')
		}), ""},
		"another user's bus": {socketThat(func(c net.Conn) {
			for in := bufio.NewReader(c); ; {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
				_, _ = io.WriteString(c, "REJECTED EXTERNAL\r\n")
			}
		}), ""},
		"no bus": {socketThat(func(c net.Conn) {
			_, _ = bufio.NewReader(c).ReadString('\n')
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		}), "authentication protocol error"},
		"a bus without a service": {fakeThat(keychaintest.Options{NoService: true}), "was not provided by any .service files"},
		"dbus-broker without a service": {fakeThat(fault1("*", keychaintest.Fault{
			Err: "org.freedesktop.DBus.Error.ServiceUnknown", Text: "The name is not activatable",
		})), "not activatable"},
		"no collection": {fakeThat(keychaintest.Options{NoDefault: true}), "aliases/default"},
		"no wallet": {fakeThat(fault1("Unlock", keychaintest.Fault{
			Err: "org.freedesktop.DBus.Error.Failed", Text: "Alias default does not exist",
		})), "Alias default"},
	} {
		t.Run(about, func(t *testing.T) {
			if !alone(t) {
				return
			}
			t.Setenv(busVariable, c.address(t))
			for _, deed := range []string{"get", "set", "delete", "list"} {
				err := within(t, func() error { return do(patient(t), &Keychain{}, deed, "org", "x") })
				mustFail(t, err, ErrUnavailable)
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%q hides %q", err, c.says)
				}
			}
		})
	}
}

func fakeThat(o keychaintest.Options) func(*testing.T) string {
	return func(t *testing.T) string { return fakeKeychain(t, o).Addr }
}

// deafSocket is a socket whose listener is gone.
func deafSocket(t *testing.T) string {
	t.Helper()
	l := listen(t)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
	return "unix:path=" + l.Addr().String()
}

// socketThat answers everybody with f, and hangs up.
func socketThat(f func(net.Conn)) func(*testing.T) string {
	return func(t *testing.T) string {
		t.Helper()
		l := listen(t)
		t.Cleanup(func() { l.Close() })
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				f(c)
				c.Close()
			}
		}()
		return "unix:path=" + l.Addr().String()
	}
}

func listen(t *testing.T) *net.UnixListener {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus") // whose name is short enough for a socket
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "bus"), Net: "unix"})
	must(t, err)
	return l
}

// A keychain that is there and will not is never taken for one that is not there.
func TestDenied(t *testing.T) {
	for about, c := range map[string]struct {
		options keychaintest.Options
		says    string
	}{
		"cancelled": {keychaintest.Options{Locked: true, Answer: keychaintest.Dismiss}, "collection/login"},
		"died":      {fault1("Unlock", keychaintest.Fault{Drop: true}), ""},
	} {
		t.Run(about, func(t *testing.T) {
			if !alone(t) {
				return
			}
			f := fakeKeychain(t, keychaintest.Options{})
			mustKeep(t, &Keychain{}, "org", "x")
			f.SetOptions(c.options)
			for _, deed := range []string{"get", "set", "delete", "list"} {
				err := within(t, func() error { return do(patient(t), &Keychain{}, deed, "org", "y") })
				mustFail(t, err, ErrDenied)
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%q hides %q", err, c.says)
				}
			}
			f.SetOptions(keychaintest.Options{})
			expect(t, &Keychain{}, "org", "x")
		})
	}
}

// An error that tells of neither is of no class, and the old secret stays.
func TestDiskFull(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	mustKeep(t, &Keychain{}, "org", "old")
	f.SetOptions(fault1("CreateItem", keychaintest.Fault{
		Err: "org.freedesktop.DBus.Error.Failed", Text: "Couldn't create item: An error occurred on the device",
	}))
	err := (&Keychain{}).Set(patient(t), "org", []byte("new"))
	mustFail(t, err, err)
	if err == nil || !strings.Contains(err.Error(), "An error occurred on the device") {
		t.Errorf("a full disk is %v", err)
	}
	expect(t, &Keychain{}, "org", "old")
}

func TestLockedKeyringWithoutDisplay(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s, k := realKeychain(t), &Keychain{}
	mustKeep(t, k, "org", "kept")
	must(t, s.Lock())
	for _, deed := range []string{"get", "set", "delete", "list"} {
		err := within(t, func() error { return do(patient(t), k, deed, "org", "new") })
		mustFail(t, err, ErrDenied)
	}
	must(t, s.Unlock())
	expect(t, k, "org", "kept")
}

func TestDaemonThatIsGone(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s, k := realKeychain(t), &Keychain{}
	mustKeep(t, k, "org", "kept")
	must(t, s.Kill())
	for _, deed := range []string{"get", "set", "delete", "list"} {
		err := within(t, func() error { return do(patient(t), k, deed, "org", "new") })
		mustFail(t, err, ErrUnavailable)
	}
	must(t, s.Restart())
	expect(t, k, "org", "kept")
}
