package refresh

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

// answers are the rows of the table in salesforce.md, section 4, and what stands beside them there.
var answers = []struct {
	code, description string
	class             error
}{
	{"invalid_grant", "expired access/refresh token", ErrLoginRequired},
	{"invalid_grant", "token validity expired", ErrLoginRequired},
	{"invalid_grant", "inactive user", ErrLoginRequired},
	{"invalid_grant", "inactive organization", ErrLoginRequired},
	{"invalid_grant", "authentication failure", ErrLoginRequired},
	{"invalid_grant", "", ErrLoginRequired},

	{"invalid_grant", "ip restricted", ErrRefused},
	{"invalid_grant", "IP restricted or invalid login hours", ErrRefused},
	{"invalid_grant", "user hasn't approved this consumer", ErrRefused},
	{"invalid_grant", "audience is invalid", ErrRefused},
	{"invalid_grant", "invalid assertion", ErrRefused},
	{"invalid_grant", "request not supported on this domain", ErrRefused},
	{"invalid_grant", "no client credentials user enabled", ErrRefused},
	{"invalid_client_id", "client identifier invalid", ErrRefused},
	{"invalid_client", "invalid client credentials", ErrRefused},
	{"invalid_app_access", "user is not admin approved to access this app", ErrRefused},
	{"app_blocked", "this app is blocked by admin", ErrRefused},
	{"OAUTH_APP_BLOCKED", "this app is blocked by admin", ErrRefused},
	{"OAUTH_APP_ACCESS_DENIED", "user is not admin approved to access this app", ErrRefused},
	{"app_not_found", "External client app is not installed in this org", ErrRefused},
	{"oauth_flow_disabled", "Flow disabled", ErrRefused},
	{"redirect_uri_mismatch", "redirect_uri must match configuration", ErrRefused},
	{"unsupported_grant_type", "grant type not supported", ErrRefused},
	{"invalid_scope", "the requested scope is not allowed", ErrRefused},
	{"invalid_request", "scope parameter not supported", ErrRefused},

	{"invalid_grant", "token request is already being processed", ErrTemporary},
	{"invalid_grant", "expired authorization code", ErrTemporary},
	{"Invalid_Grant", "Login Rate Exceeded", ErrTemporary},
	{"unknown_error", "retry your request", ErrTemporary},
	{"rate_limit_exceeded", "too many", ErrTemporary},
	{"login rate exceeded", "", ErrTemporary},
	{"login_rate_exceeded", "wait", ErrTemporary},
	{"server_error", "an error occurred", ErrTemporary},
	{"service_unavailable", "", ErrTemporary},
	{"system_down", "down for maintenance", ErrTemporary},

	{"unknown_error", "something else", ErrRefused},
	{"brand_new_code", "brand new", ErrRefused},
}

func TestEachRefusalHasItsClass(t *testing.T) {
	for _, a := range answers {
		for _, status := range []int{200, 400, 401, 403} {
			_, e := readAnswer(status, []byte(orgtest.Refuse(a.code, a.description).Body))
			equal(t, a.code+" "+a.description, e, &Error{
				Status: status, Code: a.code, Description: a.description, Class: a.class,
				later: strings.Contains(strings.ToLower(a.code+a.description), "rate"),
			})
		}
		for _, status := range []int{420, 429, 500, 502, 503, 599} {
			_, e := readAnswer(status, []byte(orgtest.Refuse(a.code, a.description).Body))
			equal(t, a.code+" "+a.description, e.Class, ErrTemporary)
		}
	}
}

func TestWhatIsNoTokenIsNoSuccess(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		class  error
		later  bool
		lost   bool
	}{
		{"maintenance with 200", 200, "<html>Sorry</html>", ErrTemporary, false, false},
		{"a redirect to the login page", 302, "", ErrTemporary, true, false},
		{"a page with 404", 404, "<html>", ErrTemporary, true, false},
		{"maintenance with 503", 503, "<html>", ErrTemporary, false, false},
		{"nothing", 200, "", ErrTemporary, false, false},
		{"null", 200, "null", ErrTemporary, false, false},
		{"an array", 200, `[{"access_token":"x"}]`, ErrTemporary, false, false},
		{"a string", 200, `"x"`, ErrTemporary, false, false},
		{"half an answer", 200, `{"access_token":"x"`, ErrTemporary, false, true},
		{"an answer and more", 200, `{"access_token":"x"} <html>`, ErrTemporary, false, true},
		{"no token", 200, `{"instance_url":"https://acme.my.salesforce.com"}`, ErrRefused, false, false},
		{"an empty token", 200, `{"access_token":""}`, ErrRefused, false, false},
		{"a null token", 200, `{"access_token":null}`, ErrRefused, false, false},
		{"an object for a token", 200, `{"access_token":{}}`, ErrRefused, false, false},
		{"a token with an escape code", 200, `{"access_token":"a\u001b[31m"}`, ErrRefused, false, false},
		{"a token with a new line", 200, `{"access_token":"a\nb"}`, ErrRefused, false, false},
		{"a token with a blank", 200, `{"access_token":"a b"}`, ErrRefused, false, false},
		{"a token beyond ASCII", 200, `{"access_token":"ä"}`, ErrRefused, false, false},
		{"a token with 302", 302, `{"access_token":"x"}`, ErrRefused, false, false},
		{"a token with 400", 400, `{"access_token":"x"}`, ErrRefused, false, false},
		{"a token with 503", 503, `{"access_token":"x"}`, ErrTemporary, false, false},
		{"a token and an error", 200, `{"access_token":"x","error":"server_error"}`, ErrTemporary, false, false},
	} {
		fields, e := readAnswer(c.status, []byte(c.body))
		if fields != nil || e == nil || e.Class != c.class || e.later != c.later || e.Lost != c.lost || e.Status != c.status {
			t.Errorf("%s: %v, %+v", c.name, fields, e)
		}
	}
	fields, e := readAnswer(200, []byte(sample))
	if e != nil || fieldText(fields["access_token"]) != "00D41000....uLZBpT6" {
		t.Errorf("the sample: %v, %v", fields, e)
	}
}

func TestAServersWordsAreFitForATerminal(t *testing.T) {
	for in, want := range map[string]string{
		"ip restricted":                      "ip restricted",
		"a\x1b[31mb\r\n\tc\x7f\u009bd\x00":   "a [31mb   c  d ",
		strings.Repeat("x", 299) + "é" + "y": strings.Repeat("x", 299),
		strings.Repeat("y", 1000):            strings.Repeat("y", 300),
	} {
		equal(t, in, visible(in), want)
	}
}

func TestAnErrorSaysWhoRefusedWhatAndWhy(t *testing.T) {
	e := &Error{Org: "prod", Host: "acme.my.salesforce.com", Code: "invalid_grant", Description: "ip restricted", Class: ErrRefused}
	equal(t, "refusal", e.Error(), "acme.my.salesforce.com refuses: ip restricted (invalid_grant)")
	e.CutOff = time.Date(2026, 7, 1, 12, 30, 15, 0, time.Local)
	if text := e.Error(); !strings.Contains(text, "cut off") || !strings.Contains(text, "2026-07-01 at 12:30:15") {
		t.Error(text)
	}
	equal(t, "without words", (&Error{Host: "h", Code: "app_blocked", Class: ErrRefused}).Error(), "h refuses: app_blocked")
	equal(t, "page", (&Error{Host: "h", Description: "maintenance", Class: ErrTemporary}).Error(), "h: maintenance")
	equal(t, "our own", (&Error{Description: "no login", Class: ErrLoginRequired}).Error(), "no login")
	for _, class := range []error{ErrLoginRequired, ErrRefused, ErrTemporary} {
		err := error(&Error{Class: class, Cause: io.EOF})
		for _, other := range []error{ErrLoginRequired, ErrRefused, ErrTemporary, io.EOF} {
			equal(t, "unwraps", errors.Is(err, other), other == class || other == io.EOF)
		}
		equal(t, "without a cause", errors.Is(&Error{Class: class}, io.EOF), false)
	}
}

// TestALoginSurvivesEachRefusal also holds that nothing of what is kept changes, but for the mark and
// the word to those who wait.
func TestALoginSurvivesEachRefusal(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	before := string(recordOf(t, s).encode())
	for i, a := range answers {
		reply := orgtest.Refuse(a.code, a.description)
		reply.Header = map[string][]string{"Retry-After": {"3600"}}
		o.Queue(reply)
		_, err := s.Token(soon(t), l.AccessToken)
		e := wantRefusal(t, err, a.class)
		equal(t, "error", *e, Error{Org: s.Org, Host: o.URL, Code: a.code, Description: a.description, Status: 400,
			Class: a.class, RetryAfter: time.Hour, later: e.later})
		wantRequests(t, o, i+1)
		rec := recordOf(t, s)
		equal(t, "mark", rec.own.Rejected, true)
		rec.own.Rejected, rec.own.Refused = false, nil
		equal(t, a.code+" "+a.description, string(rec.encode()), before)
	}
	wantAlive(t, o, s)
	if token := wantToken(t, s, ""); token.AccessToken.Reveal() == l.AccessToken {
		t.Error("the rejected mark did not survive the refusals")
	}
	wantAlive(t, o, s)
}
