// Package orgtest is a Salesforce org for tests: a server on loopback that
// logs users in, renews and rotates their tokens, ends their sessions and
// refuses what Salesforce refuses, in Salesforce's words.
//
// It has rules, which say what kind of org it is, and a memory: every request
// it got and every secret it gave out. What rules cannot express (a
// maintenance page, an answer lost on the way) is queued as a [Reply].
//
// An Org needs no package testing and may serve a real program as well.
package orgtest

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// DefaultClient is the app that a new Org knows, and the app of every login
// made while the rules name none.
const DefaultClient = "PlatformCLI"

// Org is a running fake org. All its methods may be called at any time, by any
// goroutine, also from within a Reply's Before and After.
type Org struct {
	URL string // http://127.0.0.1:port, or https

	server *http.Server
	served chan struct{} // closed when the listener is
	ctx    context.Context
	cancel context.CancelFunc
	cert   []byte
	id     string
	key    string // signs answers when there is no client secret

	mu       sync.Mutex
	rules    Rules
	instance string
	users    map[string]string // IDs by username
	logins   []*login          // oldest first
	refresh  map[string]*login // by every refresh token ever given out
	access   map[string]*session
	secrets  []string
	issued   time.Time // the latest answer

	requests []*Request
	tokens   int             // requests to the token endpoint
	arrival  chan struct{}   // closed and replaced when one more comes
	busy     map[string]bool // refresh tokens being processed
	queues   map[string][]Reply
	gates    []chan struct{}
}

// Rules say what kind of org this is. The zero value lets every client in and
// does not rotate.
type Rules struct {
	// ClientID is the only app that may ask. Empty means that any may.
	ClientID string

	// ClientSecret must be sent if it is set. A secret that is sent is
	// always compared, also by an org that wants none.
	ClientSecret string

	// Rotate makes each refresh answer with a new refresh token, and kills
	// the old one at once. Who shows a token that was rotated out ends the
	// login: the current refresh token and all its access tokens.
	Rotate bool

	// JWT is the lifetime of access tokens if they are to be JWTs. Their exp
	// is in whole seconds, rounded down, and the org keeps to it. Nobody
	// signed them: the third segment is noise.
	JWT time.Duration
}

// New starts an org that knows one app, [DefaultClient], without a secret. It
// panics if it cannot listen on loopback. Close it after use.
func New() *Org {
	return start("http", nil)
}

// NewTLS is New for https. The server's certificate is of its own making: see
// [Org.Certificate].
func NewTLS() *Org {
	return start("https", newCertificate())
}

func start(scheme string, cert *certificate) *Org {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("orgtest: " + err.Error())
	}
	url := scheme + "://" + listener.Addr().String()
	o := &Org{
		URL:      url,
		served:   make(chan struct{}),
		id:       newID("00D"),
		key:      random(alphanumeric, 32),
		rules:    Rules{ClientID: DefaultClient},
		instance: url,
		users:    make(map[string]string),
		refresh:  make(map[string]*login),
		access:   make(map[string]*session),
		arrival:  make(chan struct{}),
		busy:     make(map[string]bool),
		queues:   make(map[string][]Reply),
	}
	if cert != nil {
		o.cert = cert.pem
		listener = tls.NewListener(listener, cert.config())
	}
	o.serveOn(listener)
	return o
}

func (o *Org) serveOn(listener net.Listener) {
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.server = &http.Server{
		Handler:     http.HandlerFunc(o.serve),
		BaseContext: func(net.Listener) context.Context { return o.ctx },
		// Clients that hang up or distrust the certificate are part of the play.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(o.served)
		o.server.Serve(listener)
	}()
}

// Close stops listening and cuts every connection, held and hanging ones too.
// What the org remembers can still be asked. A second Close does nothing.
func (o *Org) Close() {
	o.cancel()
	o.server.Close()
	<-o.served
}

// Certificate returns the certificate of an org made by [NewTLS] as PEM, fit to
// be a root (SSL_CERT_FILE), for 127.0.0.1 and localhost. It is nil for others.
func (o *Org) Certificate() []byte {
	return slices.Clone(o.cert)
}

// Rules returns the rules in force.
func (o *Org) Rules() Rules {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.rules
}

// SetRules replaces the rules, all of them, for requests that are not yet acted
// upon. Tokens already given out keep their form.
func (o *Org) SetRules(rules Rules) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rules = rules
	if secret := rules.ClientSecret; secret != "" && !slices.Contains(o.secrets, secret) {
		o.secrets = append(o.secrets, secret)
	}
}

// MoveTo makes url the instance_url of every answer from now on, as when
// Salesforce moves an org. The org itself goes on listening at URL (and, being
// on loopback, at localhost as well).
func (o *Org) MoveTo(url string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.instance = url
}
