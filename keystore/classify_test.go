package keystore

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/zalando/go-keyring"
)

// What go-keyring, or what is below it, says verbatim, and what it means. A nil says that it is an
// error of no class.
var said = []struct {
	situation, text string
	class           error
}{
	{"no dbus-launch", `exec: "dbus-launch": executable file not found in $PATH`, ErrUnavailable},
	{"a bus of its own", `Failed to activate service 'org.freedesktop.secrets': timed out (service_start_timeout=120000ms)`, ErrUnavailable},
	{"dbus-launch without an answer", `dbus: couldn't determine address of session bus`, ErrUnavailable},
	{"stale address", `dial unix /tmp/dbus-x: connect: no such file or directory`, ErrUnavailable},
	{"nobody listens", `dial unix /run/user/1000/bus: connect: connection refused`, ErrUnavailable},
	{"not ours", `dial unix /run/user/1000/bus: connect: permission denied`, ErrUnavailable},
	{"garbage", `dbus: invalid bus address (no transport)`, ErrUnavailable},
	{"disabled:", `dbus: invalid bus address (invalid or unsupported transport)`, ErrUnavailable},
	{"unix: and no path", `dbus: invalid address (neither path nor abstract set)`, ErrUnavailable},
	{"another user's bus", `write unix @->/run/user/1000/bus: write: broken pipe`, ErrUnavailable},
	{"another user's bus", `EOF`, ErrUnavailable},
	{"another user's bus", `read unix @->/run/user/1000/bus: read: connection reset by peer`, ErrUnavailable},
	{"another user's bus", `dbus: authentication failed`, ErrUnavailable},
	{"no bus", `dbus: authentication protocol error`, ErrUnavailable},
	{"no service", `The name org.freedesktop.secrets was not provided by any .service files`, ErrUnavailable},
	{"no service, dbus-broker", `The name is not activatable`, ErrUnavailable},
	{"no collection", `failed to unlock correct collection '/org/freedesktop/secrets/aliases/default'`, ErrUnavailable},
	{"no wallet", `Alias default does not exist`, ErrUnavailable},
	{"locked", `failed to unlock correct collection '/org/freedesktop/secrets/collection/login'`, ErrDenied},
	{"the daemon aborts", `Message recipient disconnected from message bus without replying`, ErrDenied},
	{"the daemon aborts, dbus-broker", `Remote peer disconnected`, ErrDenied},
	{"the bus dies", `dbus: connection closed by user`, ErrDenied},
	{"the bus dies in the call", `read unix @->/run/user/1000/bus: EOF`, ErrDenied},
	{"disk full", `Couldn't create item: An error occurred on the device`, nil},
	{"not writable", `Couldn't create item: Couldn't set item secret`, nil},
	{"macOS, locked over SSH", `exit status 36`, ErrDenied},
	{"macOS, wrong password", `exit status 51`, ErrDenied},
	{"macOS, cancelled", `exit status 128`, ErrDenied},
	{"macOS, no default keychain", `exit status 37`, ErrUnavailable},
	{"macOS, no such keychain", `exit status 50`, ErrUnavailable},
	{"macOS, something else", `exit status 1`, nil},
	{"macOS without the tool", `fork/exec /usr/bin/security: no such file or directory`, ErrUnavailable},
	{"macOS, a warning behind the secret", `illegal base64 data at input byte 12`, ErrDenied},
	{"Windows over SSH", `A specified logon session does not exist. It may already have been terminated.`, ErrDenied},
	{"news", "something\nnew\tand\r\n\r\nlong ", nil},
}

func TestClassify(t *testing.T) {
	for _, c := range said {
		for _, raw := range []error{errors.New(c.text), errors.Join(errors.New(c.text))} {
			err := classify(raw)
			for _, class := range []error{ErrUnavailable, ErrDenied, ErrNotFound, ErrBusy, ErrInvalid} {
				if errors.Is(err, class) != (class == c.class) {
					t.Errorf("%s: %q is %v", c.situation, err, class)
				}
			}
			if words := strings.Join(strings.Fields(c.text), " "); !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %q hides what was said", c.situation, err)
			}
			if strings.ContainsAny(err.Error(), "\n\r\t") {
				t.Errorf("%s: %q is not one line", c.situation, err)
			}
		}
	}
}

func TestClassifyKnowsErrorsBesideTexts(t *testing.T) {
	for _, c := range []struct{ raw, class error }{
		{nil, nil},
		{keyring.ErrNotFound, ErrNotFound},
		{fmt.Errorf("x: %w", keyring.ErrNotFound), ErrNotFound},
		{keyring.ErrUnsupportedPlatform, ErrUnavailable},
		{io.EOF, ErrUnavailable},
		{syscall.Errno(1312), ErrDenied}, // whose text is in the user's language
	} {
		if err := classify(c.raw); !errors.Is(err, c.class) {
			t.Errorf("%v is %v, want %v", c.raw, err, c.class)
		}
	}
	if err := classify(keyring.ErrSetDataTooBig); err == nil || errors.Is(err, ErrDenied) || errors.Is(err, ErrUnavailable) {
		t.Errorf("too big is %v", err)
	}
}

func TestCheckAnswer(t *testing.T) {
	const warning = "security: SecKeychainSearchCopyNext: a warning\n"
	for _, c := range []struct {
		about, answer string
		class         error
	}{
		{"a secret", `{"access_token":"x"}`, nil},
		{"lines", "a\nb", nil},
		{"a warning before an encoded secret", warning + "go-keyring-base64:aGVsbG8=", ErrDenied},
		{"a warning after an encoded secret", "go-keyring-base64:aGVsbG8=\n" + warning, ErrDenied},
		{"an old encoding", warning + "go-keyring-encoded:68", ErrDenied},
		{"nothing", "", ErrDamaged},
		{"NUL", "a\x00b", ErrDamaged},
		{"no UTF-8", "caf\xe9", ErrDamaged},
	} {
		if err := checkAnswer(c.answer); !errors.Is(err, c.class) {
			t.Errorf("%s: %v, want %v", c.about, err, c.class)
		} else if err != nil && strings.Contains(err.Error(), "aGVsbG8") {
			t.Errorf("%s: %v shows the secret", c.about, err)
		}
	}
}
