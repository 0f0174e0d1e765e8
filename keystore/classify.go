package keystore

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/zalando/go-keyring"
)

// texts tells from go-keyring's raw error what is the matter: it has no other sign. Where several
// match, the first counts. The texts are those of go-keyring 0.2.8, godbus 5.2, dbus-daemon 1.14,
// dbus-broker, gnome-keyring 42, KeePassXC 2.7, KWallet 5, /usr/bin/security and the Windows API.
var texts = []struct {
	part  string
	is    error
	words string // what the text means, where it does not say so
}{
	// The path is all that tells "no collection" from "locked".
	{"failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'", ErrUnavailable, "its service has no keychain in it: "},
	{"failed to unlock correct collection", ErrDenied, "it is locked: "},
	{"Alias default does not exist", ErrUnavailable, ""},
	{`exec: "dbus-launch"`, ErrUnavailable, ""},
	{"couldn't determine address of session bus", ErrUnavailable, ""},
	{"Failed to activate service", ErrUnavailable, ""},
	{"The name is not activatable", ErrUnavailable, ""}, // dbus-broker's
	{"was not provided by any .service files", ErrUnavailable, ""},
	{"dbus: invalid bus address", ErrUnavailable, ""},
	{"dbus: invalid address", ErrUnavailable, ""},
	{"connect: no such file", ErrUnavailable, ""},
	{"connect: connection refused", ErrUnavailable, ""},
	{"connect: permission denied", ErrUnavailable, ""},
	{"broken pipe", ErrUnavailable, ""}, // another user's bus hangs up while we log in at it …
	{"connection reset", ErrUnavailable, ""},
	{": EOF", ErrDenied, ""}, // but one that hangs up later let us in
	{"EOF", ErrUnavailable, ""},
	{"dbus: authentication ", ErrUnavailable, ""}, // … or says so
	{"disconnected from message bus without replying", ErrDenied, ""},
	{"Remote peer disconnected", ErrDenied, ""}, // dbus-broker's
	{"dbus: connection closed by user", ErrDenied, ""},
	// /usr/bin/security exits with the last byte of its OSStatus.
	{"exit status 36", ErrDenied, "it is locked: "},              // errSecInteractionNotAllowed: locked, and no screen to ask at
	{"exit status 51", ErrDenied, ""},                            // errSecAuthFailed
	{"exit status 128", ErrDenied, "its prompt was dismissed: "}, // userCanceledErr
	{"exit status 37", ErrUnavailable, ""},                       // errSecNoDefaultKeychain
	{"exit status 50", ErrUnavailable, ""},                       // errSecNoSuchKeychain
	{"/usr/bin/security: no such file", ErrUnavailable, ""},
	{"illegal base64 data", ErrDenied, ""},                      // a warning of the tool's behind the secret
	{"A specified logon session does not exist", ErrDenied, ""}, // as noLogonSession
}

// noLogonSession is what Windows says over SSH, in the user's own language: a network logon has no
// credential store.
const noLogonSession = syscall.Errno(1312)

// classify gives go-keyring's error the sentinel it deserves and keeps its text visible, on one line.
func classify(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrDenied):
		return err
	case errors.Is(err, keyring.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, keyring.ErrUnsupportedPlatform):
		return fmt.Errorf("%w (%v)", ErrUnavailable, err)
	}
	text := strings.Join(strings.Fields(err.Error()), " ")
	if errors.Is(err, noLogonSession) {
		return fmt.Errorf("%w (%s)", ErrDenied, text)
	}
	for _, t := range texts {
		if strings.Contains(text, t.part) {
			return fmt.Errorf("%w (%s%s)", t.is, t.words, text)
		}
	}
	return errors.New(text)
}

// encoded is how go-keyring marks what it keeps on macOS. It takes the tool's stderr for a part of
// the secret, and a secret with anything before the mark is given back undecoded.
const encoded = "go-keyring-"

// checkAnswer refuses an answer that cannot be what was kept.
func checkAnswer(text string) error {
	if text == "" || !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
		return ErrDamaged
	}
	if strings.Contains(text, encoded) {
		return fmt.Errorf("%w: its answer is not what was kept (a warning of its own may be mixed into it)", ErrDenied)
	}
	return nil
}
