package refresh

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func FuzzParseLogin(f *testing.F) {
	for _, c := range logins {
		f.Add([]byte(c.input))
	}
	for _, c := range noLogins {
		if len(c.input) < 1<<10 {
			f.Add([]byte(c.input))
		}
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		login, err := ParseLogin(input)
		if err == nil {
			checkRoundTrip(t, login)
		} else if !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), "CANARY") || len(err.Error()) > 300 {
			t.Errorf("%v", err)
		}
	})
}

// checkRoundTrip holds that what was accepted is what is kept, and stays so when it is read again.
func checkRoundTrip(t *testing.T, login Login) {
	t.Helper()
	rec, err := login.record()
	if err != nil {
		if !errors.Is(err, ErrLogin) || strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%v", err)
		}
		return
	}
	kept, err := parseRecord(rec.encode())
	must(t, err)
	back := kept.login()
	login.InstanceURL, _ = CheckURL(login.InstanceURL)
	login.OrgID, login.UserID, login.fields = back.OrgID, back.UserID, nil
	fields := back.fields
	back.fields = nil
	equal(t, "login", back, login)
	back.fields = fields
	again, err := back.record()
	must(t, err)
	equal(t, "record", string(again.encode()), string(rec.encode()))
	third, err := take(string(rec.encode()))
	must(t, err)
	equal(t, "record as a login", string(third.encode()), string(rec.encode()))
}

func FuzzReadAnswer(f *testing.F) {
	f.Add(200, []byte(sample))
	f.Add(200, []byte(`{"access_token":"x","error":"y"}`))
	f.Add(400, []byte(`{"error":"invalid_grant","error_description":"expired access/refresh token"}`))
	f.Add(302, []byte(`<html>`))
	f.Add(503, []byte(`null`))
	f.Add(200, []byte(`{"access_token":"a\u001b[31m","instance_url":"https://%9b31m.com"}`))
	f.Add(200, []byte(`{"access_token":"x","refresh_token":null,"sf-credential-helper":{"client_id":7},"instance_url":{"a":1}}`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		fields, refusal := readAnswer(status, body)
		switch {
		case (fields == nil) == (refusal == nil):
			t.Fatalf("both or neither: %v, %v", fields, refusal)
		case refusal != nil && !slices.Contains([]error{ErrLoginRequired, ErrRefused, ErrTemporary}, refusal.Class):
			t.Errorf("class %v", refusal.Class)
		case refusal != nil && strings.ContainsFunc(visible(refusal.Description), isControl):
			t.Errorf("control character in %q", refusal)
		case refusal == nil:
			checkMerge(t, status, fields)
		}
	})
}

// checkMerge holds that whatever an answer brings, what is kept is a record, and its texts are fit
// for a terminal.
func checkMerge(t *testing.T, status int, answer object) {
	t.Helper()
	old, err := take(answerWithField("id", `"https://login.salesforce.com/id/00D/005"`))
	must(t, err)
	kept, err := parseRecord(old.merge(answer, time.Now()).encode())
	must(t, err)
	token := kept.token()
	if text := token.AccessToken.Reveal(); status != 200 || text == "" || !isPrintable(text) {
		t.Errorf("HTTP %d gives token %q", status, text)
	}
	if url, err := CheckURL(token.InstanceURL); err != nil || url != token.InstanceURL {
		t.Errorf("instance %q", token.InstanceURL)
	}
	if kept.text("refresh_token") == "" || kept.own.ClientID != "c" || !json.Valid(kept.encode()) {
		t.Errorf("the login is lost: %s", kept.encode())
	}
}

func FuzzCheckURL(f *testing.F) {
	for _, c := range goodURLs {
		f.Add(c[0])
	}
	for _, address := range badURLs {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		url, err := CheckURL(address)
		if err != nil {
			if strings.Contains(err.Error(), "CANARY") {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := CheckURL(url)
		if err != nil || again != url {
			t.Errorf("%q gives %q, and that %q, %v", address, url, again, err)
		}
		if !isPrintable(url) || strings.HasSuffix(url, "/") || strings.ContainsAny(url, "?#@ ") && !strings.Contains(url, "/") {
			t.Errorf("%q", url)
		}
		if strings.HasPrefix(url, "http://") && !slices.ContainsFunc([]string{"localhost", "127.", "["}, func(s string) bool { return strings.HasPrefix(url[7:], s) }) {
			t.Errorf("%q is over http", url)
		}
	})
}
