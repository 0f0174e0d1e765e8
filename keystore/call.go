package keystore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/zalando/go-keyring"
)

// turn admits one call into go-keyring at a time, for the whole process, because go-keyring has one
// connection for the whole process. A call that its caller has given up keeps its turn until it
// ends, so that its late effect cannot overtake a later call.
var turn = make(chan struct{}, 1)

// call runs f, which may hang or panic, and gives its result if it comes while ctx lasts. A bus whose
// queue of callers is full is asked again: that is no sign of its absence.
func call(ctx context.Context, f func() (string, error)) (string, error) {
	for {
		text, err := callOnce(ctx, f)
		if !errors.Is(err, syscall.EAGAIN) {
			return text, err
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return "", noAnswer(ctx)
		}
	}
}

func callOnce(ctx context.Context, f func() (string, error)) (string, error) {
	if err := findBus(); err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", err // a select would toss a coin
	}
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return "", noAnswer(ctx)
	}
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-turn }()
		text, err := survive(f)
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		if errors.Is(r.err, syscall.EAGAIN) {
			return "", syscall.EAGAIN
		}
		return r.text, classify(r.err)
	case <-ctx.Done():
		return "", noAnswer(ctx)
	}
}

func noAnswer(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &inWords{"the keychain did not answer in time (is it waiting for a person at its prompt?)", ctx.Err()}
	}
	return ctx.Err()
}

// inWords is an error whose own text tells a person nothing.
type inWords struct {
	words string
	error
}

func (e *inWords) Error() string { return e.words }

func (e *inWords) Unwrap() error { return e.error }

// survive turns a panic into an error. The value of the panic is not shown: what it holds is not
// ours to know.
func survive(f func() (string, error)) (text string, err error) {
	defer func() {
		if recover() != nil {
			text, err = "", fmt.Errorf("%w: its service went away while it was asking", ErrDenied)
		}
	}()
	return f()
}

// getItem, setItem and deleteItem are go-keyring's three calls, bounded by ctx. A service that dies
// in the call is asked once more: the session starts it anew.
func getItem(ctx context.Context, service, account string) (string, error) {
	return call(ctx, func() (string, error) {
		text, err := keyring.Get(service, account)
		if serviceDied(err) {
			text, err = keyring.Get(service, account)
		}
		for tries := 0; tries < 8 && wentAway(err); tries++ {
			text, err = keyring.Get(service, account)
		}
		return text, err
	})
}

func setItem(ctx context.Context, service, account, text string) error {
	_, err := call(ctx, func() (string, error) {
		err := keyring.Set(service, account, text)
		if serviceDied(err) {
			// gnome-keyring 42 and 50 can abort when a write is the first thing on a connection.
			_, _ = keyring.Get(service, account)
			err = keyring.Set(service, account, text)
		}
		return "", err
	})
	return err
}

func deleteItem(ctx context.Context, service, account string) error {
	_, err := call(ctx, func() (string, error) {
		err := keyring.Delete(service, account)
		if serviceDied(err) {
			err = keyring.Delete(service, account)
		}
		return "", err
	})
	return err
}

// serviceDied knows the words of dbus-daemon and of dbus-broker.
func serviceDied(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "disconnected from message bus without replying") ||
		strings.Contains(err.Error(), "Remote peer disconnected"))
}
