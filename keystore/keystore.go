// Package keystore keeps small secrets under names, and lets one process at a time change one.
//
// A [Store] holds text of up to [MaxSecret] bytes under each name. [Open] gives the store that a
// specification names; [Keychain] is the one of the operating system. The package knows nothing
// about what it keeps: whatever a secret means is its caller's business.
//
// Reading needs no lock. A change that depends on what is kept goes through [Update], which lets
// one process at a time change a name, hands over what is kept now and keeps what it is given:
//
//	err := keystore.Update(ctx, store, "my-org", func(old []byte, keep func([]byte) error) error {
//		return keep(renewed(old))
//	})
//
// Every call obeys its context, whatever hangs below it. A name or a secret that stores do not take
// is [ErrInvalid]. All other errors are of type [*Error], name the secret and never show it, and wrap
// [ErrNotFound], [ErrUnavailable], [ErrDenied], [ErrBusy] or the context's own error where one of
// them is the reason.
package keystore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxSecret is the size of the largest secret that every store holds, in bytes.
const MaxSecret = 64 << 10

const maxName = 128

var (
	// ErrNotFound means that nothing is kept under the name.
	ErrNotFound = errors.New("nothing is kept under this name")
	// ErrUnavailable means that there is no such store on this machine, now and for this user. It
	// never means that one is there and locked, slow or refusing.
	ErrUnavailable = errors.New("there is no keychain here")
	// ErrDenied means that the store is there and will not: it is locked, or its prompt was
	// dismissed, or it broke off.
	ErrDenied = errors.New("the keychain refused")
	// ErrBusy means that another process held the lock of the name for as long as the context lasted.
	ErrBusy = errors.New("another process holds its lock")
	// ErrDamaged means that what is kept cannot be read any more. Set and Delete still work.
	ErrDamaged = errors.New("what is kept is damaged: another program has changed it")
	// ErrInvalid means that the name or the secret is not of a kind that stores take.
	ErrInvalid = errors.New("invalid")
)

// A Store keeps secrets under names. All methods may be called from several goroutines and
// processes at once; a reader sees one version or another, never a mixture.
type Store interface {
	// Get returns the secret kept under name, or an error that wraps ErrNotFound.
	Get(ctx context.Context, name string) ([]byte, error)
	// Set keeps the secret under name. When it returns nil, a Get in any process finds it.
	Set(ctx context.Context, name string, secret []byte) error
	// Delete forgets what is kept under name. Nothing to forget is no error.
	Delete(ctx context.Context, name string) error
	// List returns the names under which something is kept, sorted, without reading the secrets.
	List(ctx context.Context) ([]string, error)
}

// Error says what could not be done, and with which secret.
type Error struct {
	Op   string // "read", "kept", "forgotten", "listed" or "locked"
	Name string // empty for "listed"
	Err  error
}

func (e *Error) Error() string {
	name := e.Name
	if name == "" {
		name = "the names"
	}
	return name + " cannot be " + e.Op + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

func fault(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Name: name, Err: err}
}

// Open returns the store that spec names: "keychain", or "auto", which is the best there is.
func Open(spec string) (Store, error) {
	switch spec {
	case "auto", "keychain":
		return &Keychain{}, nil
	}
	return nil, fmt.Errorf("%w keystore: there are auto and keychain", ErrInvalid)
}

// CheckName reports whether stores take the name: 1 to 128 ASCII letters, digits and . _ @ : / + -,
// of which the first is neither . nor -. Names are case-sensitive.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%w name: it is empty", ErrInvalid)
	case len(name) > maxName:
		return fmt.Errorf("%w name: it is longer than %d characters", ErrInvalid, maxName)
	case name[0] == '.' || name[0] == '-':
		return fmt.Errorf("%w name: it begins with . or -", ErrInvalid)
	}
	for _, c := range name {
		if !isLetter(c) && !strings.ContainsRune("0123456789._@:/+-", c) {
			return fmt.Errorf("%w name: only letters, digits and . _ @ : / + - may stand in it", ErrInvalid)
		}
	}
	return nil
}

func isLetter(c rune) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// checkSecret refuses what some keychain would mangle or not hold (NUL and broken UTF-8 under
// KWallet and KeePassXC).
func checkSecret(secret []byte) error {
	switch {
	case len(secret) == 0:
		return fmt.Errorf("%w secret: it is empty", ErrInvalid)
	case len(secret) > MaxSecret:
		return fmt.Errorf("%w secret: it is larger than %d bytes", ErrInvalid, MaxSecret)
	case !utf8.Valid(secret) || strings.IndexByte(string(secret), 0) >= 0:
		return fmt.Errorf("%w secret: it is not text", ErrInvalid)
	}
	return nil
}
