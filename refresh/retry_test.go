package refresh

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

func TestATemporaryRefusalIsTriedAgain(t *testing.T) {
	for name, reply := range map[string]orgtest.Reply{
		"503":                {Status: 503, Body: "<html>"},
		"429 with a time":    {Status: 429, Header: http.Header{"Retry-After": {"1"}}},
		"429 with a date":    {Status: 429, Header: http.Header{"Retry-After": {time.Now().Add(time.Second).UTC().Format(http.TimeFormat)}}},
		"420":                {Status: 420},
		"maintenance":        {Status: 200, Body: "<html>"},
		"being processed":    orgtest.Refuse("invalid_grant", "token request is already being processed"),
		"its old text":       orgtest.Refuse("invalid_grant", "expired authorization code"),
		"retry your request": orgtest.Refuse("unknown_error", "retry your request"),
		"server error":       orgtest.Refuse("server_error", ""),
		"a rate with a time": {Status: 400, Body: orgtest.Refuse("rate_limit_exceeded", "").Body, Header: http.Header{"Retry-After": {"1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			o.Queue(reply)
			token := wantToken(t, s, l.AccessToken)
			equal(t, "token", token, recordOf(t, s).token())
			wantRequests(t, o, 2)
			wantAlive(t, o, s)
			equal(t, "renewals on rejection", len(recordOf(t, s).own.Loop), 1)
			q := o.Requests()
			if d := q[1].Time.Sub(q[0].Time); d < 125*time.Millisecond || reply.Status == 429 && name != "429 with a date" && d < time.Second {
				t.Errorf("it waited %v", d)
			}
		})
	}
}

func TestPausesGrow(t *testing.T) {
	for try, base := range []time.Duration{250, 500, 1000, 2000, 4000, 8000, 16000, 16000, 16000} {
		base *= time.Millisecond
		seen := map[time.Duration]bool{}
		for range 100 {
			d := pause(try)
			if d < base/2 || d > base*3/2 {
				t.Errorf("pause %d is %v", try, d)
			}
			seen[d] = true
		}
		if len(seen) < 50 {
			t.Errorf("pause %d has no jitter: %v", try, seen)
		}
	}
	pause(1 << 30)
}

func TestSomeTemporaryRefusalsAreLeftForTheNextCall(t *testing.T) {
	for name, reply := range map[string]orgtest.Reply{
		"login rate exceeded":    orgtest.Refuse("invalid_grant", "login rate exceeded"),
		"rate limit":             orgtest.Refuse("rate_limit_exceeded", "x"),
		"Retry-After too long":   {Status: 503, Header: http.Header{"Retry-After": {"3600"}}},
		"Retry-After far off":    {Status: 503, Header: http.Header{"Retry-After": {"99999999999"}}},
		"Retry-After as a date":  {Status: 503, Header: http.Header{"Retry-After": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}},
		"a redirect":             {Status: 302, Header: http.Header{"Location": {"/"}}},
		"a page of another kind": {Status: 404, Body: "<html>"},
		"too much":               {Status: 200, Body: `{"access_token":"x","y":"` + strings.Repeat("y", maxAnswer) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			before := string(recordOf(t, s).encode())
			o.Queue(reply)
			_, err := s.Token(soon(t), l.AccessToken)
			e := wantRefusal(t, err, ErrTemporary)
			if wait := reply.Header.Get("Retry-After") != ""; wait != (e.RetryAfter > 50*time.Minute) {
				t.Errorf("%+v", e)
			}
			wantRequests(t, o, 1)
			rec := recordOf(t, s)
			rec.own.Rejected, rec.own.Refused = false, nil
			if e.Lost {
				rec.own.Began = time.Time{}
			}
			equal(t, "kept", string(rec.encode()), before)
			wantToken(t, s, "")
			wantAlive(t, o, s)
		})
	}
}

func TestAnAnswerWithoutATokenLeavesTheRecordAlone(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	before := string(recordOf(t, s).encode())
	for i, body := range []string{
		`{}`, `{"refresh_token":"5AepNEW","instance_url":"https://x.my.salesforce.com"}`, `{"access_token":"","refresh_token":"5AepNEW"}`, `{"access_token":"a\u001b[2Jb","refresh_token":"5AepNEW"}`,
	} {
		o.Queue(orgtest.Reply{Status: 200, Body: body})
		_, err := s.Token(soon(t), l.AccessToken)
		e := wantRefusal(t, err, ErrRefused)
		equal(t, "status", e.Status, 200)
		rec := recordOf(t, s)
		rec.own.Rejected, rec.own.Refused = false, nil
		equal(t, "kept", string(rec.encode()), before)
		wantRequests(t, o, i+1)
	}
}

func TestAPauseEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	o.Queue(orgtest.Reply{Status: 503, Header: http.Header{"Retry-After": {"20"}}, After: func() { time.AfterFunc(50*time.Millisecond, cancel) }})
	_, err := s.Token(ctx, l.AccessToken)
	e := wantRefusal(t, err, ErrTemporary)
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "\n") || e.Status != 503 {
		t.Errorf("%v", err)
	}
	wantRequests(t, o, 1)
	if rec := recordOf(t, s); !rec.own.Began.IsZero() || !rec.own.Rejected {
		t.Errorf("kept: %+v", rec.own)
	}
}
