package refresh

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

func TestNoRedirectIsFollowed(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var hits atomic.Int64
			elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
			defer elsewhere.Close()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			for i, client := range []*http.Client{nil, {}} {
				s.Client = client
				o.Queue(orgtest.Reply{Status: status, Header: http.Header{"Location": {elsewhere.URL + "/services/oauth2/token"}}})
				_, err := s.Token(soon(t), l.AccessToken)
				equal(t, "status", wantRefusal(t, err, ErrTemporary).Status, status)
				equal(t, "requests there", hits.Load(), 0)
				wantRequests(t, o, i+1)
			}
			wantToken(t, s, "")
			wantAlive(t, o, s)
		})
	}
}

// tlsOrg is a login at an org whose certificate nobody knows.
func tlsOrg(t *testing.T) (*orgtest.Org, *Source, orgtest.Login) {
	t.Helper()
	o := withRules(t, orgtest.NewTLS(), orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	return o, s, l
}

func TestACertificateThatIsNotTrustedGetsNoLogin(t *testing.T) {
	t.Parallel()
	o, s, l := tlsOrg(t)
	_, err := s.Token(soon(t), l.AccessToken)
	e := wantRefusal(t, err, ErrRefused)
	var certificate *tls.CertificateVerificationError
	if !errors.As(err, &certificate) || !strings.Contains(e.Error(), "its certificate is not trusted") || "https://"+e.Host != o.URL {
		t.Errorf("%v", err)
	}
	wantRequests(t, o, 0)
	equal(t, "note", recordOf(t, s).own.Began.IsZero(), true)

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(o.Certificate())
	s.Client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	defer s.Client.CloseIdleConnections()
	wantToken(t, s, "")
	wantAlive(t, o, s)
}

// spendAsChild spends a login in a process that reads these variables for the first time.
func spendAsChild(t *testing.T, s *Source, env ...string) string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(soon(t), self)
	cmd.Env = append(os.Environ(), append(env, childEnv+"=1", "GORACE=atexit_sleep_ms=0")...)
	cmd.Stdin = strings.NewReader(string(recordOf(t, s).encode()))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func certificateFile(t *testing.T, pem []byte) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(name, pem, 0o600))
	return name
}

func TestTheCertificatesOfTheEnvironmentAreTrusted(t *testing.T) {
	t.Parallel()
	o, s, _ := tlsOrg(t)
	said := spendAsChild(t, s, "SSL_CERT_FILE="+certificateFile(t, o.Certificate()))
	equal(t, "token", said, o.Current(user).AccessToken)
	wantRequests(t, o, 1)
	other := withRules(t, orgtest.NewTLS(), orgtest.Rules{})
	said = spendAsChild(t, s, "SSL_CERT_FILE="+certificateFile(t, other.Certificate()))
	if !strings.Contains(said, "its certificate is not trusted") {
		t.Error(said)
	}
	wantRequests(t, o, 1)
}

func TestTheRootsOfAFileAreAddedToTheSystems(t *testing.T) {
	o := withRules(t, orgtest.NewTLS(), orgtest.Rules{})
	pool, err := rootsWith(certificateFile(t, o.Certificate()))
	must(t, err)
	system, err := x509.SystemCertPool()
	must(t, err)
	if pool.Equal(system) {
		t.Error("nothing was added")
	}
	c, err := tls.Dial("tcp", strings.TrimPrefix(o.URL, "https://"), &tls.Config{RootCAs: pool})
	must(t, err)
	c.Close()
	if _, err := rootsWith(certificateFile(t, []byte("no certificate"))); err == nil || !strings.Contains(err.Error(), "no certificate in it") {
		t.Errorf("%v", err)
	}
	if _, err := rootsWith(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestACertificateFileThatCannotBeReadIsSaidSo(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	name := filepath.Join(t.TempDir(), "none.pem")
	t.Setenv("SSL_CERT_FILE", name)
	_, err := s.Token(soon(t), l.AccessToken)
	e := wantRefusal(t, err, ErrRefused)
	if !strings.Contains(e.Error(), "$SSL_CERT_FILE cannot be read") || !strings.Contains(e.Error(), name) {
		t.Errorf("%v", e)
	}
	wantRequests(t, o, 0)
	must(t, os.WriteFile(name, nil, 0o600))
	wantToken(t, s, "")
}

// TestTheProxyOfTheEnvironmentIsAsked has one that refuses: the login is not sent, nor past it.
func TestTheProxyOfTheEnvironmentIsAsked(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.RequestURI)
		http.Error(w, "no", http.StatusForbidden)
	}))
	defer proxy.Close()
	s := newSource(t)
	must(t, s.Save(t.Context(), Login{RefreshToken: "5Aep", ClientID: "c", LoginURL: "https://acme.my.salesforce.com"}))
	said := spendAsChild(t, s, "HTTPS_PROXY="+proxy.URL, "NO_PROXY=", "https_proxy=", "no_proxy=")
	equal(t, "asked", asked.Load(), any("CONNECT acme.my.salesforce.com:443"))
	if !strings.Contains(said, "no answer: Forbidden; lost: false") {
		t.Error(said)
	}
}

func TestARequestThatNeverWentOutIsSentAgain(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	for name, fault := range map[string]error{
		"no name server":     &net.DNSError{Err: "server misbehaving", Name: "acme", IsTemporary: true},
		"connection refused": refused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			var dials atomic.Int64
			s.Client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if dials.Add(1) <= 2 {
					return nil, fault
				}
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}}}
			wantToken(t, s, l.AccessToken)
			equal(t, "dials", dials.Load(), 3)
			wantRequests(t, o, 1)
			wantAlive(t, o, s)
		})
	}
}

// TestAWrongAddressIsToldAtOnce: a user who mistyped it need not wait until the time is out.
func TestAWrongAddressIsToldAtOnce(t *testing.T) {
	for name, fault := range map[string]error{
		"no such host": &net.DNSError{Err: "no such host", Name: "acme", IsNotFound: true},
		"no TLS":       tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, l := keptLogin(t, newOrg(t, orgtest.Rules{}))
			var dials atomic.Int64
			s.Client = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				dials.Add(1)
				return nil, fault
			}}}
			_, err := s.Token(soon(t), l.AccessToken)
			wantRefusal(t, err, ErrTemporary)
			equal(t, "dials", dials.Load(), 1)
		})
	}
}

func TestAnOrgThatIsNotThereIsTemporary(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{})
	s, l := keptLogin(t, o)
	o.Close()
	_, err := s.Token(within(t, time.Second), l.AccessToken)
	e := wantRefusal(t, err, ErrTemporary)
	var network *net.OpError
	if !errors.As(err, &network) || !strings.HasPrefix(e.Description, "no answer: ") || strings.Contains(e.Error(), "/services") {
		t.Errorf("%v", err)
	}
	if rec := recordOf(t, s); !rec.own.Began.IsZero() || !rec.own.Rejected {
		t.Errorf("kept: %+v", rec.own)
	}
}

func TestAServersEchoIsConcealed(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{ClientSecret: "hush-hush"})
	s, l := keptLogin(t, o)
	secrets := []string{l.RefreshToken, l.AccessToken, l.ClientSecret}
	for _, secret := range secrets {
		for _, reply := range []orgtest.Reply{
			orgtest.Refuse("invalid_grant", "ip restricted for "+secret+" and "+secret),
			orgtest.Refuse("invalid_grant", "ip restricted "+strings.Repeat("x", 280)+secret),
			orgtest.Refuse("code "+secret, "ip restricted"),
		} {
			o.Queue(reply)
			_, err := s.Token(soon(t), l.AccessToken)
			text := wantRefusal(t, err, ErrRefused).Error()
			if strings.Contains(text, firstOf(secret, 5)) || len(text) > 500 {
				t.Errorf("%v", err)
			}
		}
	}
}

func TestTheCallersClientIsUsedAndLeftAlone(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var conns atomic.Int64
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conns.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	s.Client = &http.Client{Transport: transport}
	token := wantToken(t, s, l.AccessToken)
	wantToken(t, s, token.AccessToken.Reveal())
	equal(t, "connections", conns.Load(), 1)
	if s.Client.CheckRedirect != nil {
		t.Error("it is another now")
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "1.5": 0, "99999999": (1 << 20) * time.Second,
		"Thu, 01 Jan 1970 00:00:00 GMT": 0,
	} {
		equal(t, header, retryAfter(header), want)
	}
	if d := retryAfter(time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)); d < 50*time.Minute || d > time.Hour {
		t.Errorf("in an hour: %v", d)
	}
}

// TestAnEchoOfTheFormIsConcealed, also as the form had it.
func TestAnEchoOfTheFormIsConcealed(t *testing.T) {
	rec := record{fields: object{"refresh_token": encode("5Aep=="), "access_token": encode("00D!x")}, own: own{ClientSecret: "a/b"}}
	for _, said := range []string{"refresh_token=5Aep%3D%3D&client_secret=a%2Fb", "5Aep== a/b 00D!x 00D%21x"} {
		got := conceal(said, rec)
		for _, secret := range []string{"5Aep", "00D", "a%2Fb", "a/b"} {
			if strings.Contains(got, secret) {
				t.Errorf("%q is left", got)
			}
		}
	}
}
