//go:build unix && !darwin

package keystore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
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
			return os.Setenv(busVariable, "unix:path="+dbus.EscapeBusAddressValue(socket))
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

// wentAway reports whether err means that an item was deleted while go-keyring, which first searches
// for it, was about to read it. Where it was about to unlock it, the error is that of a person who
// said no (to KeePassXC, at each item) and who is not to be asked again, so it looks: that asks nobody.
func wentAway(err error) bool {
	var refused dbus.Error
	if errors.As(err, &refused) {
		return gone[refused.Name]
	}
	if err == nil || !strings.HasPrefix(err.Error(), "failed to unlock correct collection '") {
		return false
	}
	path := strings.Split(err.Error(), "'")[1]
	conn, err := dbus.SessionBus()
	if err != nil || strings.Count(path, "/") != strings.Count("/org/freedesktop/secrets/collection/NAME/ITEM", "/") {
		return false
	}
	_, err = conn.Object("org.freedesktop.secrets", dbus.ObjectPath(path)).GetProperty("org.freedesktop.Secret.Item.Locked")
	return errors.As(err, &refused) && gone[refused.Name]
}

// gone are what gnome-keyring and the others, in this order, say of an object that is not there.
var gone = map[string]bool{
	"org.freedesktop.DBus.Error.UnknownMethod":  true,
	"org.freedesktop.DBus.Error.UnknownObject":  true,
	"org.freedesktop.Secret.Error.NoSuchObject": true,
}
