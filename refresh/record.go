package refresh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"sf-credential-helper/keystore"
)

// record is a kept login: Salesforce's fields as they came, and ours beside them under one key, so
// that a token answer that another program saved is a record.
type record struct {
	fields map[string]json.RawMessage
	own    own
}

const ownKey = "sf-credential-helper"

type own struct {
	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`
	LoginURL     string `json:"login_url,omitempty"` // the host to renew at, if the user named one

	RenewedAt time.Time   `json:"renewed_at,omitzero"`
	Rejected  bool        `json:"rejected,omitempty"` // the kept token was answered 401
	Loop      []time.Time `json:"loop,omitempty"`     // the last renewals because of a rejection

	// Began stands while a renewal is under way. If it is found, that renewal was cut off: nobody
	// knows whether the refresh token is spent. CutOff is the first such, and stays until one succeeds.
	Began  time.Time `json:"began,omitzero"`
	CutOff time.Time `json:"cut_off,omitzero"`

	Refused *refused `json:"refused,omitempty"` // the last renewal was
	OrgID   string   `json:"org_id,omitempty"`  // where Salesforce's fields do not tell
	UserID  string   `json:"user_id,omitempty"`
}

// refused is a refusal as it is kept, for those who waited for their turn while it came: they need
// not ask for it once more.
type refused struct {
	At          time.Time     `json:"at"`
	Host        string        `json:"host"`
	Code        string        `json:"code,omitempty"`
	Description string        `json:"description,omitempty"`
	Status      int           `json:"status,omitempty"`
	RetryAfter  time.Duration `json:"retry_after,omitempty"`
	Class       int           `json:"class"` // of classes
}

var classes = []error{ErrTemporary, ErrRefused, ErrLoginRequired}

func note(e *Error, now time.Time) *refused {
	if e == nil {
		return nil
	}
	return &refused{now, e.Host, e.Code, e.Description, e.Status, e.RetryAfter, slices.Index(classes, e.Class)}
}

// since is the refusal if it came after a time; nil if not.
func (n *refused) since(t time.Time) *Error {
	if n == nil || !n.At.After(t) || n.Class < 0 || n.Class >= len(classes) {
		return nil
	}
	return &Error{Host: n.Host, Code: n.Code, Description: n.Description, Status: n.Status, RetryAfter: n.RetryAfter, Class: classes[n.Class]}
}

var errRecord = fmt.Errorf("%w (it is no login)", keystore.ErrDamaged)

func parseRecord(data []byte) (record, error) {
	var rec record
	if err := json.Unmarshal(data, &rec.fields); err != nil || rec.fields == nil {
		return record{}, errRecord
	}
	if raw, ok := rec.fields[ownKey]; ok {
		if err := json.Unmarshal(raw, &rec.own); err != nil {
			return record{}, errRecord
		}
		delete(rec.fields, ownKey)
	}
	return rec, nil
}

func (r record) encode() []byte {
	fields := maps.Clone(r.fields)
	fields[ownKey] = encode(r.own)
	return encode(fields)
}

// encode is json.Marshal without its escapes for HTML: what came is kept as it came.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("refresh: a record is always JSON") // RawMessages that were parsed, strings and times
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// text is a field's string, or a number's digits; empty if it is neither.
func (r record) text(field string) string { return fieldText(r.fields[field]) }

// isToken reports whether token is the kept access token.
func (r record) isToken(token string) bool { return token != "" && token == r.text("access_token") }

// marked is the kept access token if it is marked as rejected.
func (r record) marked() string {
	if r.own.Rejected {
		return r.text("access_token")
	}
	return ""
}

func fieldText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	if json.Unmarshal(raw, &n) == nil {
		return n.String()
	}
	return ""
}

// host is where to renew: what the user named, else the login's site, else its instance (an org can
// forbid login.salesforce.com, and a sandbox fails there), else where it logged in.
func (r record) host() string {
	for _, url := range []string{r.own.LoginURL, r.text("sfdc_community_url"), r.text("instance_url"), origin(r.text("id"))} {
		if u, err := CheckURL(url); err == nil {
			return u
		}
	}
	return production
}

// merge puts an answer into the record. What the answer brings is new; what it does not bring stays,
// the refresh token above all; but what it says of the old token's time goes with the old token.
func (r record) merge(answer map[string]json.RawMessage, now time.Time) record {
	fields := maps.Clone(r.fields)
	delete(fields, "issued_at")
	delete(fields, "expires_in")
	for name, raw := range answer {
		if raw = usable(name, raw); raw != nil {
			fields[name] = raw
		}
	}
	r.fields = fields
	r.own.RenewedAt, r.own.Rejected = now, false
	r.own.Began, r.own.CutOff, r.own.Refused = time.Time{}, time.Time{}, nil
	return r
}

// fit leaves out what the store would not hold: of the fields that nothing here uses the largest. A
// renewed login must not be lost for the size of something beside it. There is room left for notes.
func (r record) fit() record {
	for len(r.encode()) > keystore.MaxSecret-4<<10 {
		largest := ""
		for name, raw := range r.fields {
			if !slices.Contains(needed, name) && len(raw) >= len(r.fields[largest]) {
				largest = name
			}
		}
		if largest == "" {
			break
		}
		r.fields = maps.Clone(r.fields)
		delete(r.fields, largest)
	}
	return r
}

var needed = []string{"access_token", "refresh_token", "instance_url", "sfdc_community_url", "id", "issued_at", "expires_in",
	"token_type", "scope", "signature", "username"}

// usable is what to keep of an answer's field; nil if it must not replace the one we have.
func usable(name string, raw json.RawMessage) json.RawMessage {
	switch text := fieldText(raw); name {
	case ownKey:
		return nil
	case "refresh_token":
		if text == "" {
			return nil
		}
	case "instance_url", "sfdc_community_url":
		address, err := CheckURL(text)
		if err != nil {
			return nil
		}
		return encode(address)
	}
	if string(raw) == "null" {
		return nil
	}
	return raw
}

// issuedAt is when Salesforce gave out the token, which it tells in milliseconds, and in a string.
func (r record) issuedAt() time.Time {
	ms, err := strconv.ParseInt(r.text("issued_at"), 10, 64)
	if err != nil || ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// since is the time from which the token's age counts: by our own clock if we renewed it.
func (r record) since() time.Time {
	if !r.own.RenewedAt.IsZero() {
		return r.own.RenewedAt
	}
	return r.issuedAt()
}
