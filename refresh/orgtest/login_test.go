package orgtest_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sf-credential-helper/refresh/orgtest"
)

func get(o *orgtest.Org, path, token string) answer {
	r, _ := http.NewRequest("GET", o.URL+path, nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return do(r)
}

func revoke(o *orgtest.Org, token string) answer {
	return post(o, "/services/oauth2/revoke", url.Values{"token": {token}})
}

func TestTheSixthLoginRevokesTheOldest(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	bystander := o.Login("bob@example.com")
	first, second := o.Login(user), o.Login(user)
	for range 3 {
		o.Login(user)
	}
	o.SetRules(orgtest.Rules{ClientID: "another app"})
	o.Login(user)
	o.SetRules(orgtest.Rules{ClientID: orgtest.DefaultClient})
	wantAlive(t, o, true, first.RefreshToken, first.AccessToken)

	sixth := o.Login(user)
	wantAlive(t, o, false, first.RefreshToken, first.AccessToken)
	wantAlive(t, o, true, second.RefreshToken, sixth.RefreshToken, bystander.RefreshToken)
	if first.UserID != sixth.UserID || first.UserID == bystander.UserID || first.OrgID != bystander.OrgID {
		t.Errorf("users %s, %s and %s", first.UserID, sixth.UserID, bystander.UserID)
	}
}

func TestEnd(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l := o.Login(user)
	if !o.End(l.AccessToken) || o.End(l.AccessToken) || o.End("unknown") {
		t.Error("End does not know the living from the dead")
	}
	wantAlive(t, o, false, l.AccessToken)
	wantAlive(t, o, true, l.RefreshToken)
	if a := refresh(o, l.RefreshToken); a.Status != 200 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestEndLogin(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l, again := o.Login(user), o.Login(user)
	if !o.EndLogin(again.RefreshToken) || o.EndLogin(again.RefreshToken) {
		t.Error("EndLogin does not know the living from the dead")
	}
	wantAlive(t, o, false, again.RefreshToken, again.AccessToken)
	wantRefused(t, refresh(o, again.RefreshToken), "invalid_grant", "expired access/refresh token")
	if c := o.Current(user); c != l {
		t.Errorf("Current = %+v, want the login that is left", c)
	}
	o.EndLogin(l.RefreshToken)
	if c := o.Current(user); c != (orgtest.Login{}) {
		t.Errorf("Current = %+v, want none", c)
	}
}

func TestAPI(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l := o.Login(user)
	dead := o.Login(user)
	o.End(dead.AccessToken)
	tests := []struct {
		path, token string
		status      int
		body        string
	}{
		{"/services/data/v60.0", l.AccessToken, 200, `"identity"`},
		{"/services/data/v60.0/limits", l.AccessToken, 200, ``},
		{"/services/data/v60.0", dead.AccessToken, 401, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`},
		{"/services/data/v60.0", l.RefreshToken, 401, `INVALID_SESSION_ID`},
		{"/services/data/v60.0", "", 401, `INVALID_SESSION_ID`},
		{"/services/data/", "", 200, `/services/data/v60.0`},
		{"/services/oauth2/userinfo", l.AccessToken, 200, user},
		{"/services/oauth2/userinfo", dead.AccessToken, 403, `Bad_OAuth_Token`},
		{"/id/" + l.OrgID + "/" + l.UserID, dead.AccessToken, 403, `Bad_OAuth_Token`},
		{"/elsewhere", l.AccessToken, 404, `<html>`},
	}
	for i, test := range tests {
		a := get(o, test.path, test.token)
		if a.Status != test.status || !strings.Contains(a.Body, test.body) {
			t.Errorf("%s: %d %s, want %d %s", test.path, a.Status, a.Body, test.status, test.body)
		}
		q := o.Requests()[i]
		if q.Path != test.path || q.Method != "GET" || q.Status != test.status || (test.status == 401) != (q.Error == "INVALID_SESSION_ID") {
			t.Errorf("remembered as %+v", q)
		}
	}
}

func TestOnlyBearersAreLetIn(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	r, _ := http.NewRequest("GET", o.URL+"/services/data/v60.0", nil)
	r.Header.Set("Authorization", "Basic "+o.Login(user).AccessToken)
	if a := do(r); a.Status != 401 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

func TestRevoke(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	a := refresh(o, l.RefreshToken)
	if r := revoke(o, l.AccessToken); r.Status != 200 || r.Body != "" {
		t.Errorf("access token: %d %s", r.Status, r.Body)
	}
	wantAlive(t, o, false, l.AccessToken)
	wantAlive(t, o, true, a.AccessToken, a.RefreshToken)
	wantRefused(t, revoke(o, l.AccessToken), "invalid_token", "")
	wantRefused(t, revoke(o, l.RefreshToken), "invalid_token", "")

	if r := revoke(o, a.RefreshToken); r.Status != 200 || r.Body != "" {
		t.Errorf("refresh token: %d %s", r.Status, r.Body)
	}
	wantAlive(t, o, false, a.AccessToken, a.RefreshToken)
	wantRefused(t, revoke(o, a.RefreshToken), "invalid_token", "")
	wantRefused(t, revoke(o, "never seen"), "unsupported_token_type", "")
	if r := get(o, "/services/oauth2/revoke?token=x", ""); r.Status != 405 {
		t.Errorf("GET: %d", r.Status)
	}
}

func TestAnswer(t *testing.T) {
	o := newOrg(t, orgtest.Rules{ClientSecret: "s3cret"})
	l := o.Login(user)
	var got map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(l.Answer())))
	decoder.UseNumber()
	if err := decoder.Decode(&got); err != nil {
		t.Fatal(err)
	}
	id := o.URL + "/id/" + l.OrgID + "/" + l.UserID
	issued, _ := got["issued_at"].(string)
	mac := hmac.New(sha256.New, []byte("s3cret"))
	mac.Write([]byte(id + issued))
	for name, want := range map[string]any{
		"access_token":  l.AccessToken,
		"refresh_token": l.RefreshToken,
		"signature":     base64.StdEncoding.EncodeToString(mac.Sum(nil)),
		"scope":         "refresh_token api web",
		"instance_url":  o.URL,
		"id":            id,
		"token_type":    "Bearer",
		"sfdc_build":    json.Number("9007199254740993"),
	} {
		if got[name] != want {
			t.Errorf("%s: got %v, want %v", name, got[name], want)
		}
	}
	if len(issued) != len("1738348388166") {
		t.Errorf("issued_at: %v, want milliseconds in a string", got["issued_at"])
	}
	host := strings.TrimPrefix(o.URL, "http://")
	if want := "force://PlatformCLI:s3cret:" + l.RefreshToken + "@" + host; l.AuthURL() != want {
		t.Errorf("AuthURL = %s, want %s", l.AuthURL(), want)
	}
}

func TestTLS(t *testing.T) {
	o := orgtest.NewTLS()
	t.Cleanup(o.Close)
	path := "/services/data/"
	if a := get(o, path, ""); a.Err == nil {
		t.Error("a certificate that nobody vouches for was trusted")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(o.Certificate()) {
		t.Fatalf("no certificate in %q", o.Certificate())
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport}
	for _, base := range []string{o.URL, strings.Replace(o.URL, "127.0.0.1", "localhost", 1)} {
		resp, err := client.Get(base + path)
		if err != nil {
			t.Error(err)
			continue
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.ProtoMajor != 1 {
			t.Errorf("%s: %s %s", base, resp.Proto, resp.Status)
		}
	}
}
