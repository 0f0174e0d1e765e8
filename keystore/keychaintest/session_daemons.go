package keychaintest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/godbus/dbus/v5"
)

const (
	busProgram     = "dbus-daemon"
	keyringProgram = "gnome-keyring-daemon"
	password       = "keychaintest"
)

// busConfig names no service directories. On a bus that has them, the first call
// after the keyring's death would start another one, and that one is locked.
const busConfig = `<busconfig>
<type>session</type>
<listen>unix:path=%s</listen>
<auth>EXTERNAL</auth>
<policy context="default">
<allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
</policy>
</busconfig>
`

// Stop freezes the keyring daemon (SIGSTOP). Calls to it then hang.
func (s *Session) Stop() error { return s.signal(stop) }

// Cont lets a stopped keyring daemon go on (SIGCONT).
func (s *Session) Cont() error { return s.signal(cont) }

// Kill ends the keyring daemon (SIGKILL), stopped or not. When it returns, the
// daemon is gone and the bus knows it.
func (s *Session) Kill() error {
	if s.keyring == nil {
		return errNoKeyring
	}
	s.keyring.kill()
	s.keyring = nil
	return s.awaitOwner(false, nil)
}

// Restart runs a new keyring daemon, unlocked, over the files of the one before,
// which it ends if need be.
func (s *Session) Restart() error {
	if s.keyring != nil {
		if err := s.Kill(); err != nil {
			return err
		}
	}
	return s.startKeyring()
}

var errNoKeyring = errors.New("the session has no keyring daemon")

func (s *Session) signal(sig syscall.Signal) error {
	if s.keyring == nil {
		return errNoKeyring
	}
	return s.keyring.cmd.Process.Signal(sig)
}

func (s *Session) startBus() error {
	config := filepath.Join(s.Dir, "bus.conf")
	socket := dbus.EscapeBusAddressValue(filepath.Join(s.Dir, "bus"))
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, socket), 0o600); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command(busProgram, "--config-file="+config, "--nofork", "--nopidfile", "--print-address=1")
	cmd.Env = s.daemonEnv()
	cmd.Stdout = w
	s.bus, err = s.keeper.start(cmd)
	w.Close()
	if err != nil {
		return err
	}
	// It prints when it listens, and closes without a word when it cannot.
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		return s.bus.fail(err)
	}
	s.Addr = strings.TrimSpace(line)
	return nil
}

// startKeyring returns when the bus name is owned, not before: the daemon
// unlocks first and asks for the name then.
func (s *Session) startKeyring() error {
	program, err := s.keyringCopy()
	if err != nil {
		return err
	}
	cmd := exec.Command(program, "--foreground", "--unlock", "--components=secrets")
	cmd.Env = append(s.daemonEnv(), s.Env()...)
	cmd.Stdin = strings.NewReader(password)
	d, err := s.keeper.start(cmd)
	if err != nil {
		return err
	}
	s.keyring = d
	if err := s.awaitOwner(true, d.gone); err != nil {
		return d.fail(err)
	}
	return s.unlocked()
}

// daemonEnv is a whole environment: nothing is inherited.
func (s *Session) daemonEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "HOME=" + s.Dir, "TMPDIR=" + s.Dir,
		"XDG_RUNTIME_DIR=" + s.Dir, "XDG_DATA_HOME=" + s.Dir, "XDG_CONFIG_HOME=" + s.Dir, "XDG_CACHE_HOME=" + s.Dir,
	}
}

// keyringCopy returns a copy of the daemon's program. The installed one may carry
// cap_ipc_lock: then a container cannot run it, and everywhere else the kernel
// takes its death signal away. A copy carries no capability.
func (s *Session) keyringCopy() (string, error) {
	name := filepath.Join(s.Dir, keyringProgram)
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	installed, err := exec.LookPath(keyringProgram)
	if err != nil {
		return "", err
	}
	return name, copyProgram(name, installed)
}

// copyProgram lets nobody fork meanwhile: the child would hold the file open for
// writing until its own exec, and to run it would be ETXTBSY.
func copyProgram(to, from string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}

// awaitOwner returns when the name of the Secret Service has an owner, or has
// none. It gives up when gone is closed.
func (s *Session) awaitOwner(owned bool, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dbus.Connect(s.Addr, dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer conn.Close()
	changes := make(chan *dbus.Signal, 16)
	conn.Signal(changes)
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, serviceName))
	for err == nil {
		var has bool
		err = conn.BusObject().CallWithContext(ctx, "org.freedesktop.DBus.NameHasOwner", 0, serviceName).Store(&has)
		if err != nil || has == owned {
			return err
		}
		select {
		case <-changes:
		case <-gone:
			return errors.New("ended at once")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return err
}
