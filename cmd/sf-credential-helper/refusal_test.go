package main

import (
	"strings"
	"testing"

	"sf-credential-helper/refresh/orgtest"
)

// TestEveryRefusal: each answer that a token request can get has its exit status and its hint, and
// the login survives all of them.
func TestEveryRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, r := range []struct {
		code, description string
		status            int
		hint              string
	}{
		{"invalid_grant", "expired access/refresh token", 3, "sf org login web"},
		{"invalid_grant", "token validity expired", 3, "sf org login web"},
		{"invalid_grant", "inactive user", 3, "sf org login web"},
		{"invalid_grant", "inactive organization", 3, "sf org login web"},
		{"invalid_grant", "authentication failure", 3, "sf org login web"},
		{"invalid_grant", "ip restricted", 4, "login IP ranges"},
		{"invalid_grant", "user hasn't approved this consumer", 4, "permit the user"},
		{"invalid_grant", "audience is invalid", 4, "test.salesforce.com"},
		{"invalid_grant", "invalid assertion", 4, "certificate"},
		{"invalid_grant", "request not supported on this domain", 4, "store -r https://"},
		{"invalid_grant", "no client credentials user enabled", 4, "Run As"},
		{"invalid_client_id", "client identifier invalid", 4, "client id"},
		{"invalid_client", "invalid client credentials", 4, "SF_CLIENT_SECRET"},
		{"invalid_app_access", "user is not admin approved to access this app", 4, "permit the user"},
		{"app_blocked", "app is blocked", 4, "unblock"},
		{"OAUTH_APP_BLOCKED", "this app is blocked by admin", 4, "unblock"},
		{"OAUTH_APP_ACCESS_DENIED", "user is not allowed", 4, "permit the user"},
		{"app_not_found", "app not found", 4, "install the app"},
		{"oauth_flow_disabled", "flow disabled", 4, "enable the refresh token flow"},
		{"redirect_uri_mismatch", "redirect_uri must match configuration", 4, "callback"},
		{"unsupported_grant_type", "grant type not supported", 4, "address"},
		{"invalid_scope", "the requested scope is not allowed", 4, "scopes"},
		{"invalid_request", "refresh scope is not supported", 4, "store the login again"},
		{"something_new", "nobody has heard of it", 4, "administrator"},
		{"invalid_grant", "token request is already being processed", 6, "try again"},
		{"invalid_grant", "expired authorization code", 6, "try again"},
		{"unknown_error", "retry your request", 6, "try again"},
		{"rate_limit_exceeded", "login rate exceeded", 6, "up to an hour"},
		{"server_error", "", 6, "try again"},
		{"service_unavailable", "", 6, "try again"},
		{"system_down", "", 6, "try again"},
	} {
		t.Run(r.code+" "+r.description, func(t *testing.T) {
			w := &world{T: t, keychain: w.keychain, org: w.org, env: w.env}
			w.refused(orgtest.Refuse(r.code, r.description), r.status, r.hint)
		})
	}
	w.org.SetRules(orgtest.Rules{ClientID: orgtest.DefaultClient}) // without rotation a lost answer loses nothing
	for name, reply := range map[string]orgtest.Reply{
		"HTTP 420":          {Status: 420, Body: `{"error":"slow_down"}`},
		"HTTP 429":          {Status: 429, Body: `{"error":"slow_down"}`},
		"HTTP 503":          {Status: 503, Body: "<html>"},
		"a page":            {Status: 200, Body: "<html>We are down for maintenance</html>"},
		"a redirect":        {Status: 302, Header: map[string][]string{"Location": {"https://example.com/"}}},
		"a lost answer":     {Lose: true},
		"half of an answer": {LoseHalf: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &world{T: t, keychain: w.keychain, org: w.org, env: w.env}
			w.refused(reply, 6, "try again")
		})
	}
	w.must("", "get", "--refresh")
}

// refused has every try of a renewal answered by a reply, and checks what the user sees.
func (w *world) refused(reply orgtest.Reply, status int, hint string) {
	w.Helper()
	for range 10 {
		w.org.Queue(reply)
	}
	out := w.run("", "get", "--refresh", "--timeout", "2s")
	w.org.Unqueue()
	switch {
	case out.status != status:
		w.Errorf("exit status %d, not %d: %s", out.status, status, out.stderr)
	case out.stdout != "":
		w.Error("something was printed")
	case !strings.Contains(out.stderr, hint) || !strings.Contains(out.stderr, "\nhint: "):
		w.Errorf("no hint of %q: %s", hint, out.stderr)
	case !w.alive():
		w.Error("the login is dead")
	}
}
