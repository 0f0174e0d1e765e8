package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh"
)

// The voice of the program. Everything but the result of a command goes to stderr, as
//
//	sf-credential-helper: what is the matter, and with which org
//	hint: what to do next, with the exact command
//
// in lower case and without a full stop. What came in on stdin is never repeated, nor the value of a
// flag that was not understood: either may be a secret.
type voice struct{ w io.Writer }

func (v voice) say(what string, hints ...string) {
	var b strings.Builder
	fmt.Fprintf(&b, "sf-credential-helper: %s\n", oneLine(what))
	for _, hint := range hints {
		if hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", oneLine(hint))
		}
	}
	_, _ = io.WriteString(v.w, b.String()) // there is nobody left to tell
}

func oneLine(s string) string { return strings.Join(strings.Fields(orDash(s)), " ") }

func (v voice) fail(err error, o options) {
	v.say(naming(o.org, err), hintFor(err, o))
}

// naming puts the org in front of errors that are about it and do not name it themselves.
func naming(org string, err error) string {
	var refusal *refresh.Error
	if errors.As(err, &refusal) || errors.Is(err, refresh.ErrConflict) {
		return org + ": " + err.Error()
	}
	return err.Error()
}

func (v voice) suspect(o options) {
	v.say(fmt.Sprintf("%s: the rejected token was renewed only seconds ago, so this is probably no expiry; here is another", o.org),
		"look at what the API said with the 401; "+loopHint)
}

func (v voice) kept(o options, login refresh.Login) {
	at := login.InstanceURL
	if at == "" {
		at = "an instance that the first renewal will tell"
	}
	var owner string
	if login.ClientID == cliApp {
		owner = "give it one owner: the Salesforce CLI has this login too, and where the org rotates refresh tokens, whoever renews first ends it for the other"
	}
	v.say(fmt.Sprintf("%s: kept a login for %s (%s)", o.org, at, login.Kind()), "print its token: "+commandFor("get", o), owner)
}

func (v voice) nothingKept() { v.say("no login is kept", storeHint(options{})) }

// usageError is about the command line or stdin.
type usageError struct{ what, hint string }

func (e *usageError) Error() string { return e.what }

func usage(what, hint string) error { return &usageError{what, hint} }

// statusOf is the exit status of an error, by the contract.
func statusOf(err error) int {
	var u *usageError
	var k *keystore.Error
	switch {
	case errors.Is(err, refresh.ErrUnkept):
		return 5
	case errors.As(err, &u), errors.Is(err, refresh.ErrLogin), errors.Is(err, refresh.ErrConflict), errors.Is(err, keystore.ErrInvalid):
		return 2
	case errors.Is(err, refresh.ErrLoginRequired):
		return 3
	case errors.Is(err, refresh.ErrRefused):
		return 4
	case errors.As(err, &k):
		return 5
	case errors.Is(err, refresh.ErrTemporary), errors.Is(err, context.DeadlineExceeded):
		return 6
	}
	return 1
}
