package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh"
)

// hintFor says what to do about an error; empty if there is nothing to do.
func hintFor(err error, o options) string {
	var u *usageError
	var k *keystore.Error
	var s *refresh.Error
	switch {
	case errors.As(err, &u):
		return u.hint
	case errors.Is(err, refresh.ErrUnkept):
		return "mend the keychain, then try again; if Salesforce then refuses, " + storeHint(o)
	case errors.Is(err, refresh.ErrLogin):
		return loginHint(err, o)
	case errors.Is(err, refresh.ErrConflict):
		return "keep it under another name with -o NAME, or put it in place of the other with --replace"
	case errors.Is(err, keystore.ErrInvalid):
		return "sf-credential-helper help"
	case errors.As(err, &s):
		return refusalHint(s, o)
	case errors.As(err, &k):
		return storeFault(k, o)
	}
	return ""
}

func loginHint(err error, o options) string {
	switch {
	case errors.Is(err, refresh.ErrRedacted):
		return storeHint(o)
	case errors.Is(err, refresh.ErrNoClient):
		return "name the app that it was given to: " + commandFor("store -i CLIENT_ID", o) + " < LOGIN"
	case errors.Is(err, refresh.ErrNoInstance):
		return "name the org: " + commandFor("store -r https://YOUR-DOMAIN.my.salesforce.com", o) + " < LOGIN"
	}
	return "sf-credential-helper help store"
}

// storeHint is how a human gets a login in.
func storeHint(o options) string {
	return "sf org login web -a my && sf org auth show-sfdx-auth-url -o my --json | " + commandFor("store", o)
}

// commandFor is a command to type, for the org that the call was about.
func commandFor(command string, o options) string {
	if o.org != "" && o.org != "default" {
		command += " -o " + o.org
	}
	return "sf-credential-helper " + command
}

func storeFault(k *keystore.Error, o options) string {
	switch {
	case errors.Is(k, keystore.ErrBusy):
		return "another sf-credential-helper is at work on this login, or stopped in the middle of it (ps shows it); try again, or wait longer with --timeout"
	case errors.Is(k, keystore.ErrDamaged):
		return commandFor("erase", o) + ", and keep the login anew: " + commandFor("store", o) + " < LOGIN"
	case errors.Is(k, context.DeadlineExceeded):
		return deniedHints[runtime.GOOS] + "; a person who needs longer at the prompt gets it with --timeout"
	case errors.Is(k, keystore.ErrUnavailable) && strings.Contains(k.Error(), "aliases/default"):
		return "its service has no keychain yet: log in to the desktop once; in KeePassXC open a database and expose a group of it (Database Settings, Secret Service Integration)"
	case errors.Is(k, keystore.ErrUnavailable):
		return unavailableHints[runtime.GOOS]
	case errors.Is(k, keystore.ErrDenied):
		return deniedHints[runtime.GOOS]
	case k.Op == "read":
		return "try again; what is kept is still there"
	case k.Op == "locked":
		return "name a directory for the locks that can be written: export XDG_STATE_HOME=DIR"
	}
	return "the keychain can be read and not written: look for a full disk or a file that is read-only; what was kept before is still there"
}

// What to do about a keychain is the platform's. Linux's words serve all who have a Secret Service.
var unavailableHints = withDefault(map[string]string{
	"darwin":  "make a default keychain: security default-keychain -s login.keychain-db",
	"windows": "run it as a user who has logged on",
}, "run it inside a desktop session, or start gnome-keyring on a D-Bus session and set $DBUS_SESSION_BUS_ADDRESS")

var deniedHints = withDefault(map[string]string{
	"darwin":  "security unlock-keychain",
	"windows": "run it where you logged on with your password: over SSH and WinRM Windows gives no credentials",
}, "unlock the keychain (log in to the desktop, or open it in Passwords and Keys), then try again")

func withDefault(m map[string]string, words string) map[string]string {
	if m[runtime.GOOS] == "" {
		m[runtime.GOOS] = words
	}
	return m
}

const loopHint = "causes are another host than the instance URL (sf-credential-helper list tells it), a user without API access, a JWT token at a SOAP API"

// refusalHints say whose turn it is, by Salesforce's code and a part of its description in lower
// case; the first that matches counts.
var refusalHints = []struct{ code, description, hint string }{
	{"invalid_grant", "ip restricted", "ask an administrator to let this address in: login IP ranges and hours of the profile, or the app's IP relaxation"},
	{"invalid_grant", "approved this consumer", "ask an administrator to permit the user in the app's policies (Setup, External Client App Manager)"},
	{"invalid_grant", "not supported on this domain", "keep the login with the org's own address: sf-credential-helper store -r https://YOUR-DOMAIN.my.salesforce.com"},
	{"invalid_grant", "audience is invalid", "keep the login with the right address: -r https://login.salesforce.com, or https://test.salesforce.com for a sandbox"},
	{"invalid_grant", "invalid assertion", "check that the app has this key's certificate, and that the clock is right"},
	{"invalid_grant", "no client credentials user", "ask an administrator to set the app's Run As user for the client credentials flow"},
	{"invalid_client_id", "", "the org does not know the app: check client id and address, and keep the login again: sf-credential-helper store -i CLIENT_ID -r URL"},
	{"invalid_client", "", "check the client secret: set $SF_CLIENT_SECRET and store the login again, or leave it out if the app needs none"},
	{"app_not_found", "", "the app is not in this org: check the address (sf-credential-helper store -r URL), or ask an administrator to install the app"},
	{"app_blocked", "", "ask an administrator to unblock the app (Setup, Connected Apps OAuth Usage)"},
	{"oauth_app_blocked", "", "ask an administrator to unblock the app (Setup, Connected Apps OAuth Usage)"},
	{"oauth_app_access_denied", "", "ask an administrator to permit the user in the app's policies"},
	{"invalid_app_access", "", "ask an administrator to permit the user in the app's policies"},
	{"oauth_flow_disabled", "", "ask an administrator to enable the refresh token flow for the app"},
	{"redirect_uri_mismatch", "", "correct the app's callback URL"},
	{"unsupported_grant_type", "", "check the address (sf-credential-helper store -r URL): is there a Salesforce org at it?"},
	{"invalid_scope", "", "ask an administrator to give the app the scopes refresh_token and api"},
	{"invalid_request", "", "store the login again; if that does not help, its app has settings that a refresh does not meet"},
}

func refusalHint(e *refresh.Error, o options) string {
	for _, r := range refusalHints {
		if strings.EqualFold(r.code, e.Code) && strings.Contains(strings.ToLower(e.Description), r.description) {
			return strings.ReplaceAll(r.hint, "sf-credential-helper store", commandFor("store", o))
		}
	}
	switch {
	case errors.Is(e, refresh.ErrLoginRequired):
		return storeHint(o)
	case errors.Is(e, refresh.ErrTemporary):
		return laterHint(e)
	case e.Host == "":
		return loopHint + "; to renew all the same: " + commandFor("get --refresh", o)
	case strings.HasPrefix(e.Description, "$SSL_CERT_FILE"):
		return "name a file that is there, or: unset SSL_CERT_FILE"
	case e.Cause != nil:
		return "if a proxy of your company re-signs connections, name its certificate: SSL_CERT_FILE=/path/to/ca.pem"
	case e.Code == "":
		return "is there a Salesforce org at this address? To change it: " + commandFor("store -r URL", o) + " < LOGIN"
	}
	return "ask an administrator of the org what this refusal means for the app"
}

func laterHint(e *refresh.Error) string {
	switch {
	case e.RetryAfter > 0:
		return fmt.Sprintf("try again in %s", e.RetryAfter.Round(time.Second))
	case e.Host == "":
		return "try again, or give it more time with --timeout"
	case e.Lost:
		return "try again: whether Salesforce had renewed the login, which it then cannot tell us twice, will show"
	case e.Cause != nil:
		return "check the network, the address and $HTTPS_PROXY, then try again; the login is kept"
	case strings.Contains(strings.ToLower(e.Description+e.Code), "rate"):
		return "too many logins of this user: wait up to an hour, and look for a program that renews in a loop"
	}
	return "try again later; the login is kept"
}
