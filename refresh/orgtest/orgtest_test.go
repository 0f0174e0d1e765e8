package orgtest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

func TestRefreshWithoutRotation(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l := o.Login(user)
	a := refresh(o, l.RefreshToken)
	if a.Status != 200 || a.AccessToken == "" || a.AccessToken == l.AccessToken {
		t.Fatalf("no new access token: %d %s", a.Status, a.Body)
	}
	if strings.Contains(a.Body, "refresh_token\":") {
		t.Errorf("a refresh token without rotation: %s", a.Body)
	}
	wantAlive(t, o, true, l.AccessToken, l.RefreshToken, a.AccessToken)
	if c := o.Current(user); c.AccessToken != a.AccessToken || c.RefreshToken != l.RefreshToken {
		t.Errorf("Current = %+v", c)
	}
	if h := a.Header; h.Get("Cache-Control") != "no-store" || h.Get("Content-Encoding") != "" ||
		h.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Errorf("header = %v", h)
	}
}

func TestRotation(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l, other := o.Login(user), o.Login(user)
	a := refresh(o, l.RefreshToken)
	wantAlive(t, o, false, l.RefreshToken)
	wantAlive(t, o, true, a.RefreshToken, a.AccessToken, l.AccessToken)

	wantRefused(t, refresh(o, l.RefreshToken), "invalid_grant", "expired access/refresh token")
	wantAlive(t, o, false, a.RefreshToken, a.AccessToken, l.AccessToken)
	wantAlive(t, o, true, other.RefreshToken, other.AccessToken)
	wantRefused(t, refresh(o, a.RefreshToken), "invalid_grant", "expired access/refresh token")
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		name, secret      string
		change            []string
		code, description string
	}{
		{"grant", "", []string{"grant_type", "password"}, "unsupported_grant_type", ""},
		{"no grant", "", []string{"grant_type", ""}, "unsupported_grant_type", ""},
		{"client", "", []string{"client_id", "other"}, "invalid_client_id", "client identifier invalid"},
		{"no client", "", []string{"client_id", ""}, "invalid_client_id", "client identifier invalid"},
		{"no secret", "s3cret", nil, "invalid_client", "invalid client credentials"},
		{"wrong secret", "s3cret", []string{"client_secret", "no"}, "invalid_client", "invalid client credentials"},
		{"needless secret", "", []string{"client_secret", "no"}, "invalid_client", "invalid client credentials"},
		{"scope", "", []string{"scope", "api"}, "invalid_request", "scope"},
		{"no token", "", []string{"refresh_token", ""}, "invalid_request", "refresh_token"},
		{"unknown token", "", []string{"refresh_token", "5Aep861nobodys"}, "invalid_grant", "expired access/refresh token"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			o := newOrg(t, orgtest.Rules{ClientSecret: test.secret, Rotate: true})
			l := o.Login(user)
			wantRefused(t, refresh(o, l.RefreshToken, test.change...), test.code, test.description)
			wantAlive(t, o, true, l.RefreshToken, l.AccessToken)
			if q := o.Requests(); len(q) != 1 || q[0].Status != 400 || q[0].Error != test.code {
				t.Errorf("Requests = %+v", q)
			}
			if a := refresh(o, l.RefreshToken, "client_secret", test.secret); a.Status != 200 {
				t.Errorf("then: %d %s", a.Status, a.Body)
			}
		})
	}
}

func TestAnyClient(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	o.SetRules(orgtest.Rules{})
	if a := refresh(o, o.Login(user).RefreshToken, "client_id", "other"); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestOnlyForms(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	body := form(o.Login(user).RefreshToken).Encode()
	r, _ := http.NewRequest("POST", o.URL+"/services/oauth2/token", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	wantRefused(t, do(r), "invalid_request", "content type")

	r, _ = http.NewRequest("GET", o.URL+"/services/oauth2/token?"+body, nil)
	if a := do(r); a.Status != 405 || json.Valid([]byte(a.Body)) {
		t.Errorf("GET: %d %s", a.Status, a.Body)
	}
	if n := o.TokenRequests(); n != 1 {
		t.Errorf("TokenRequests = %d, want the POST alone", n)
	}
	if a := post(o, "/services/oauth2/token", form(strings.Repeat("x", 1<<20))); a.Status != 413 && a.Err == nil {
		t.Errorf("long body: %d %s", a.Status, a.Body)
	}
}

func TestJWT(t *testing.T) {
	const life = 10 * time.Minute
	o := newOrg(t, orgtest.Rules{JWT: life})
	l := o.Login(user)
	parts := strings.Split(refresh(o, l.RefreshToken).AccessToken, ".")
	if len(parts) != 3 {
		t.Fatalf("%d segments", len(parts))
	}
	var claims struct {
		Iss, Sub string
		Iat, Exp int64
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(text, &claims) != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if claims.Iss != o.URL || claims.Sub != "uid:"+l.UserID || claims.Exp-claims.Iat != int64(life.Seconds()) {
		t.Errorf("claims: %s", text)
	}
	wantAlive(t, o, true, l.AccessToken)
	o.SetRules(orgtest.Rules{JWT: time.Nanosecond})
	wantAlive(t, o, false, o.Login(user).AccessToken)
}

func TestMoveTo(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l := o.Login(user)
	o.MoveTo("https://moved.my.salesforce.com")
	if a := refresh(o, l.RefreshToken); l.InstanceURL != o.URL || a.InstanceURL != "https://moved.my.salesforce.com" {
		t.Errorf("from %s to %s", l.InstanceURL, a.InstanceURL)
	}
}

func TestSecretsAreRemembered(t *testing.T) {
	o := newOrg(t, orgtest.Rules{ClientSecret: "s3cret", Rotate: true})
	l := o.Login(user)
	a := refresh(o, l.RefreshToken, "client_secret", "s3cret")
	var fields struct{ Signature string }
	json.Unmarshal([]byte(a.Body), &fields)
	last := -1
	for _, secret := range []string{"s3cret", l.RefreshToken, l.AccessToken, a.RefreshToken, a.AccessToken, fields.Signature} {
		at := slices.Index(o.Secrets(), secret)
		if at <= last {
			t.Errorf("%.12s… is at %d after %d", secret, at, last)
		}
		last = at
	}
	if n := len(o.Secrets()); n != 7 {
		t.Errorf("%d secrets, want these and the login's signature", n)
	}
}

func TestTokensLookReal(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	for text, pattern := range map[string]string{
		l.AccessToken:  `^00D[a-zA-Z0-9]{12}![a-zA-Z0-9._]{96}$`,
		l.RefreshToken: `^5Aep861[a-zA-Z0-9._]{80}$`,
		l.OrgID:        `^00D[a-zA-Z0-9]{12}[A-Z0-5]{3}$`,
		l.UserID:       `^005[a-zA-Z0-9]{12}[A-Z0-5]{3}$`,
	} {
		if !regexp.MustCompile(pattern).MatchString(text) {
			t.Errorf("%q does not match %s", text, pattern)
		}
	}
	if !strings.HasPrefix(l.AccessToken, l.OrgID[:15]) {
		t.Errorf("token %.15s… of org %s", l.AccessToken, l.OrgID)
	}
}
