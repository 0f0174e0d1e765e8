package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"sf-credential-helper/keystore"
	"sf-credential-helper/keystore/keychaintest"
	"sf-credential-helper/refresh/orgtest"
)

const (
	user = "ada@example.com"

	// patience bounds what ends by itself. It decides nothing.
	patience = 30 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child()
		return
	}
	os.Unsetenv("SSL_CERT_FILE") // the machine's must not decide
	os.Exit(run(m))
}

func run(m *testing.M) int {
	state, err := os.MkdirTemp("", "refresh-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(state)
	os.Setenv("XDG_STATE_HOME", state)
	if keychaintest.Missing() == "" {
		session, err := keychaintest.Start()
		if err == nil {
			err = session.Setenv()
		}
		if err != nil {
			panic(err)
		}
		defer session.Close()
	}
	return m.Run()
}

// newStore is the real keychain, and a connection's worth of memory of its own.
func newStore(t *testing.T) keystore.Store {
	t.Helper()
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
	return &keystore.Keychain{}
}

// newOrg starts an org that knows the default app, and whatever else the rules say.
func newOrg(t *testing.T, rules orgtest.Rules) *orgtest.Org {
	t.Helper()
	return withRules(t, orgtest.New(), rules)
}

func withRules(t *testing.T, o *orgtest.Org, rules orgtest.Rules) *orgtest.Org {
	t.Cleanup(o.Close)
	if rules.ClientID == "" {
		rules.ClientID = orgtest.DefaultClient
	}
	o.SetRules(rules)
	return o
}

var names atomic.Int64

// newSource is a Source of a name that no other test uses.
func newSource(t *testing.T) *Source {
	t.Helper()
	return &Source{Store: newStore(t), Org: "org" + strconv.FormatInt(names.Add(1), 10)}
}

// keptLogin is how most tests begin: a user has logged in, and the answer is kept.
func keptLogin(t *testing.T, o *orgtest.Org) (*Source, orgtest.Login) {
	t.Helper()
	s, l := newSource(t), o.Login(user)
	must(t, s.Save(t.Context(), asLogin(t, l)))
	return s, l
}

func asLogin(t *testing.T, l orgtest.Login) Login {
	t.Helper()
	login, err := ParseLogin(l.Answer())
	must(t, err)
	login.ClientID, login.ClientSecret = l.ClientID, Secret(l.ClientSecret)
	return login
}

// watched counts the calls of a store, and lets a test step in before the nth of them, from 1. What
// that returns is the call's error, and the store is not called.
type watched struct {
	keystore.Store
	gets, sets atomic.Int64
	onGet      func(n int64) error
	onGot      func(n int64) // after it
	onSet      func(n int64, secret []byte) error
}

// watch puts a watched between a Source and its store.
func watch(s *Source) *watched {
	w := &watched{Store: s.Store}
	s.Store = w
	return w
}

func (w *watched) Get(ctx context.Context, name string) ([]byte, error) {
	n := w.gets.Add(1)
	if w.onGet != nil {
		if err := w.onGet(n); err != nil {
			return nil, err
		}
	}
	secret, err := w.Store.Get(ctx, name)
	if w.onGot != nil {
		w.onGot(n)
	}
	return secret, err
}

func (w *watched) Set(ctx context.Context, name string, secret []byte) error {
	n := w.sets.Add(1)
	if w.onSet != nil {
		if err := w.onSet(n, secret); err != nil {
			return err
		}
	}
	return w.Store.Set(ctx, name, secret)
}

// full is what a store says that cannot be written.
var full = &keystore.Error{Op: "kept", Name: "org", Err: keystore.ErrDenied}

func recordOf(t *testing.T, s *Source) record {
	t.Helper()
	rec, err := s.look(context.WithoutCancel(t.Context()))
	must(t, err)
	return rec
}

// edit changes what is kept behind the Source's back.
func edit(t *testing.T, s *Source, change func(*record)) {
	t.Helper()
	rec := recordOf(t, s)
	change(&rec)
	must(t, s.Store.Set(t.Context(), s.Org, rec.encode()))
}

// soon is a context that is long enough for everything but a hang.
func soon(t *testing.T) context.Context {
	t.Helper()
	return within(t, patience)
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s\n got: %v\nwant: %v", what, got, want)
	}
}

func wantToken(t *testing.T, s *Source, rejected string) Token {
	t.Helper()
	token, err := s.Token(soon(t), rejected)
	must(t, err)
	return token
}

// wantRefusal returns the Error in err, which must be of the class.
func wantRefusal(t *testing.T, err, class error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, class) {
		t.Fatalf("got %v, want %v", err, class)
	}
	return e
}

func wantRequests(t *testing.T, o *orgtest.Org, n int) {
	t.Helper()
	equal(t, "token requests", o.TokenRequests(), n)
}

// wantAlive fails unless what is kept is the login that the org believes in.
func wantAlive(t *testing.T, o *orgtest.Org, s *Source) {
	t.Helper()
	rec, now := recordOf(t, s), o.Current(user)
	equal(t, "kept refresh token", rec.text("refresh_token"), now.RefreshToken)
	if now.RefreshToken == "" {
		t.Error("the login is dead")
	}
}

// answerWith is a successful answer of the org's, whatever its rules say.
func answerWith(fields map[string]any) orgtest.Reply {
	body, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return orgtest.Reply{Status: 200, Body: string(body)}
}
