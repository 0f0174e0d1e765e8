package orgtest_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

const user = "ada@example.com"

// newOrg returns an org whose rules name the default client besides r's own.
func newOrg(t *testing.T, r orgtest.Rules) *orgtest.Org {
	o := orgtest.New()
	t.Cleanup(o.Close)
	r.ClientID = orgtest.DefaultClient
	o.SetRules(r)
	return o
}

// answer is what came back. A broken connection leaves err, and what came before.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Err    error

	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	InstanceURL  string `json:"instance_url"`
	Error        string `json:"error"`
	Description  string `json:"error_description"`
}

func do(r *http.Request) (a answer) {
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return answer{Err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	json.Unmarshal(body, &a)
	a.Status, a.Header, a.Body, a.Err = resp.StatusCode, resp.Header, string(body), err
	return a
}

func post(o *orgtest.Org, path string, form url.Values) answer {
	r, _ := http.NewRequest("POST", o.URL+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(r)
}

func form(refreshToken string, more ...string) url.Values {
	f := url.Values{
		"grant_type":    {"refresh_token"},
		"client_id":     {orgtest.DefaultClient},
		"refresh_token": {refreshToken},
	}
	for i := 0; i < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	return f
}

func refresh(o *orgtest.Org, refreshToken string, more ...string) answer {
	return post(o, "/services/oauth2/token", form(refreshToken, more...))
}

func wantRefused(t *testing.T, a answer, code, description string) {
	t.Helper()
	if a.Status != 400 || a.Error != code || !strings.Contains(a.Description, description) {
		t.Errorf("got %d %s, want 400 %s %q", a.Status, a.Body, code, description)
	}
}

func wantAlive(t *testing.T, o *orgtest.Org, want bool, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if o.Alive(token) != want {
			t.Errorf("Alive(%.12s…) = %v, want %v", token, !want, want)
		}
	}
}

func refreshWith(ctx context.Context, o *orgtest.Org, refreshToken string) answer {
	body := strings.NewReader(form(refreshToken).Encode())
	r, _ := http.NewRequestWithContext(ctx, "POST", o.URL+"/services/oauth2/token", body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(r)
}

func await(t *testing.T, o *orgtest.Org, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := o.Await(ctx, n); err != nil {
		t.Fatalf("Await(%d): %v", n, err)
	}
}
