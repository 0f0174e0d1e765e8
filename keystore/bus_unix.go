//go:build unix && !darwin

package keystore

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// findBus returns ErrUnavailable if there is no session bus, before go-keyring can look for one:
// godbus then starts a dbus-daemon of its own, which outlives us, and the next call waits four
// minutes for a keychain on it.
func findBus() error {
	if a := os.Getenv(busVariable); a != "" && a != "autolaunch:" {
		return nil
	}
	for _, dir := range runtimeDirs() {
		socket := filepath.Join(dir, "bus")
		if _, err := os.Stat(socket); err == nil {
			return os.Setenv(busVariable, "unix:path="+socket)
		}
	}
	return fmt.Errorf("%w (no D-Bus session: $%s is not set)", ErrUnavailable, busVariable)
}

const busVariable = "DBUS_SESSION_BUS_ADDRESS"

// runtimeDirs are where the bus of a login session has its socket. godbus knows only the second.
func runtimeDirs() []string {
	dirs := []string{"/run/user/" + strconv.Itoa(os.Getuid())}
	if d := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(d) {
		return append([]string{d}, dirs...)
	}
	return dirs
}
