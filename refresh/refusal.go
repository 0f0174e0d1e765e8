package refresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// The three classes of failure, by whose turn it is. A login is kept through all of them.
var (
	// ErrLoginRequired means that a human must log in: no login is kept, or Salesforce ended it.
	ErrLoginRequired = errors.New("a new login is needed")
	// ErrRefused means that a new login would not help: an administrator must act, or the
	// configuration is wrong, or fresh tokens are rejected.
	ErrRefused = errors.New("refused")
	// ErrTemporary means that trying again later is right.
	ErrTemporary = errors.New("for now it does not work")
)

// Error is why Salesforce gave no token. It unwraps to ErrLoginRequired, ErrRefused or ErrTemporary,
// and to the network's error if there is one.
type Error struct {
	Org         string        // the name of the login
	Host        string        // who was asked; empty if nobody was
	Code        string        // Salesforce's "error"; empty if it was not Salesforce that spoke
	Description string        // its "error_description", or what is the matter
	Status      int           // of HTTP; 0 without an answer
	RetryAfter  time.Duration // what the answer asks us to wait; 0 if it asks nothing
	CutOff      time.Time     // when a renewal began that was cut off; zero if none was
	Class       error         // ErrLoginRequired, ErrRefused or ErrTemporary
	Cause       error         // the network's error

	// Lost says that the request went out and no answer of Salesforce's came in: nobody knows what it
	// did. A refresh token that rotates may be spent.
	Lost bool

	later bool // to ask again within seconds does not help, or makes it worse
}

func (e *Error) Error() string {
	var b strings.Builder
	switch {
	case e.Code != "" && e.Description == "":
		fmt.Fprintf(&b, "%s refuses: %s", e.Host, e.Code)
	case e.Code != "":
		fmt.Fprintf(&b, "%s refuses: %s (%s)", e.Host, e.Description, e.Code)
	case e.Host != "":
		fmt.Fprintf(&b, "%s: %s", e.Host, e.Description)
	default:
		b.WriteString(e.Description)
	}
	if !e.CutOff.IsZero() {
		fmt.Fprintf(&b, "; a renewal that began on %s was cut off before its answer was kept, and may have spent the refresh token",
			e.CutOff.Local().Format("2006-01-02 at 15:04:05"))
	}
	return b.String()
}

func (e *Error) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Class}
	}
	return []error{e.Class, e.Cause}
}

// refusals is the class of each answer, by code and by what its description contains, in lower case;
// the first that matches counts. Sources: help.salesforce.com, "OAuth 2.0 Authorization Errors"; the
// release notes of Summer '24 and Winter '25; OAuthErrorCode.kt of the Salesforce Mobile SDK.
var refusals = []struct {
	code, description string
	class             error
}{
	{"invalid_grant", "token request is already being processed", ErrTemporary},
	{"invalid_grant", "expired authorization code", ErrTemporary}, // its text before Winter '25
	{"invalid_grant", "login rate exceeded", ErrTemporary},
	{"invalid_grant", "rate limit", ErrTemporary},
	{"invalid_grant", "retry your request", ErrTemporary},
	{"invalid_grant", "ip restricted", ErrRefused},
	{"invalid_grant", "approved this consumer", ErrRefused},
	{"invalid_grant", "audience is invalid", ErrRefused},
	{"invalid_grant", "invalid assertion", ErrRefused},
	{"invalid_grant", "not supported on this domain", ErrRefused},
	{"invalid_grant", "no client credentials user", ErrRefused},
	{"invalid_grant", "", ErrLoginRequired}, // expired, revoked, user or org inactive, authentication failure
	{"unknown_error", "retry your request", ErrTemporary},
	{"rate_limit_exceeded", "", ErrTemporary},
	{"login_rate_exceeded", "", ErrTemporary},
	{"login rate exceeded", "", ErrTemporary},
	{"server_error", "", ErrTemporary},
	{"service_unavailable", "", ErrTemporary},
	{"temporarily_unavailable", "", ErrTemporary},
	{"system_down", "", ErrTemporary},
}

// classify is the class of a refusal. Of codes that are not in the table the status decides.
func classify(code, description string, status int) error {
	if isTemporary(status) {
		return ErrTemporary
	}
	for _, r := range refusals {
		if strings.EqualFold(code, r.code) && strings.Contains(strings.ToLower(description), r.description) {
			return r.class
		}
	}
	return ErrRefused
}

// isLost tells what came in the place of an answer that Salesforce may have given: half of it, or a
// gateway's word.
func isLost(status int, body []byte) bool {
	half := status/100 == 2 && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	return half || status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}

// isRate tells the refusals that last up to an hour: 3,600 logins an hour per user.
func isRate(text string) bool {
	text = strings.ToLower(strings.ReplaceAll(text, "_", " "))
	return strings.Contains(text, "rate limit") || strings.Contains(text, "rate exceeded")
}

func isTemporary(status int) bool {
	return status == 420 || status == http.StatusTooManyRequests || status >= 500
}

// readAnswer takes an answer of the token endpoint apart: the fields of a success, or an Error.
// A body that is no JSON object is no success whatever its status: maintenance pages come with 200.
func readAnswer(status int, body []byte) (map[string]json.RawMessage, *Error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(bytes.ToValidUTF8(body, []byte("?")), &fields) != nil || fields == nil {
		return nil, &Error{Status: status, Class: ErrTemporary, Lost: isLost(status, body), later: status/100 != 2 && !isTemporary(status),
			Description: fmt.Sprintf("the answer is not Salesforce's (HTTP %d, no JSON): maintenance, or a page in between", status)}
	}
	code, description := fieldText(fields["error"]), fieldText(fields["error_description"])
	token := fieldText(fields["access_token"])
	switch {
	case status == http.StatusOK && code == "" && token != "" && isPrintable(token):
		return fields, nil
	case code != "":
		return nil, &Error{Status: status, Code: code, Description: description,
			Class: classify(code, description, status), later: isRate(code + " " + description)}
	}
	return nil, &Error{Status: status, Class: classify("", "", status),
		Description: fmt.Sprintf("the answer has no access token (HTTP %d)", status)}
}

// visible makes a server's words fit for a terminal: no escape codes, and no more than a line.
func visible(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || 0x7f <= r && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
	return strings.ToValidUTF8(firstOf(s, 300), "")
}
