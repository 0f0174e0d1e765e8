package refresh

import (
	"errors"
	"testing"
	"time"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh/orgtest"
)

// TestAKeptTokenCostsOneReadAndNoLock asks while another holds the lock.
func TestAKeptTokenCostsOneReadAndNoLock(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	w := watch(s)
	must(t, keystore.Update(soon(t), w.Store, s.Org, func([]byte, func([]byte) error) error {
		token, err := s.Token(within(t, 10*time.Second), "")
		equal(t, "token", token, recordOf(t, &Source{Store: w.Store, Org: s.Org}).token())
		return err
	}))
	equal(t, "reads", w.gets.Load(), 1)
	equal(t, "writes", w.sets.Load(), 0)
	wantRequests(t, o, 0)
	equal(t, "token", wantToken(t, s, "").AccessToken.Reveal(), l.AccessToken)
}

func TestARejectedTokenIsRenewedByOneRequest(t *testing.T) {
	for name, rules := range map[string]orgtest.Rules{
		"with rotation":    {Rotate: true},
		"without rotation": {},
		"with a secret":    {Rotate: true, ClientSecret: "hush-hush"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, rules)
			s, l := keptLogin(t, o)
			before := recordOf(t, s)
			o.End(l.AccessToken)
			start := time.Now()
			token := wantToken(t, s, l.AccessToken)
			wantRequests(t, o, 1)
			wantAlive(t, o, s)
			if !o.Alive(token.AccessToken.Reveal()) || token.Suspect {
				t.Errorf("%+v", token)
			}
			rec := recordOf(t, s)
			equal(t, "rotated", rec.text("refresh_token") != l.RefreshToken, rules.Rotate)
			equal(t, "kept token", rec.token(), token)
			equal(t, "unknown field", string(rec.fields["sfdc_build"]), "9007199254740993")
			if age := rec.own.RenewedAt.Sub(start); age < 0 || age > patience || rec.text("issued_at") == before.text("issued_at") {
				t.Errorf("renewed %v after the start, issued at %s", age, rec.text("issued_at"))
			}
			equal(t, "renewals on rejection", len(rec.own.Loop), 1)
			equal(t, "ours", rec.own, own{ClientID: l.ClientID, ClientSecret: rules.ClientSecret, RenewedAt: rec.own.RenewedAt, Loop: rec.own.Loop})
			equal(t, "late report", wantToken(t, s, l.AccessToken), token)
			wantRequests(t, o, 1)
			wantForm(t, o.Requests()[0], l)
		})
	}
}

// wantForm holds that a request has what it takes, and nothing else: scope would narrow the login.
func wantForm(t *testing.T, q orgtest.Request, l orgtest.Login) {
	t.Helper()
	form := map[string][]string{"grant_type": {"refresh_token"}, "refresh_token": {l.RefreshToken}, "client_id": {l.ClientID}}
	if l.ClientSecret != "" {
		form["client_secret"] = []string{l.ClientSecret}
	}
	equal(t, "form", map[string][]string(q.Form), form)
	equal(t, "user agent", q.Header.Get("User-Agent"), "sf-credential-helper")
	equal(t, "accept", q.Header.Get("Accept"), "application/json")
}

func TestALoginWithoutATokenIsRenewedAtOnce(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	s := newSource(t)
	must(t, s.Save(t.Context(), Login{RefreshToken: Secret(l.RefreshToken), ClientID: l.ClientID, LoginURL: o.URL}))
	token := wantToken(t, s, "")
	equal(t, "instance", token.InstanceURL, o.URL)
	equal(t, "login", recordOf(t, s).login().OrgID, l.OrgID)
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
	equal(t, "renewals on rejection", len(recordOf(t, s).own.Loop), 0)
}

func TestATokenMarkedAsRejectedIsRenewedByTheNextCaller(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	w := watch(s)
	must(t, s.Reject(soon(t), l.AccessToken))
	equal(t, "writes", w.sets.Load(), 1)
	must(t, s.Reject(soon(t), l.AccessToken))
	equal(t, "writes", w.sets.Load(), 1)
	wantRequests(t, o, 0)
	token := wantToken(t, s, "")
	if token.AccessToken.Reveal() == l.AccessToken || recordOf(t, s).own.Rejected || len(recordOf(t, s).own.Loop) != 1 {
		t.Errorf("%v, kept: %+v", token, recordOf(t, s).own)
	}
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
}

func TestToRejectAnotherTokenDoesNothing(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{})
	s, l := keptLogin(t, o)
	w := watch(s)
	for _, token := range []string{"", "x", l.RefreshToken, l.AccessToken + "x"} {
		must(t, s.Reject(soon(t), token))
	}
	equal(t, "writes", w.sets.Load(), 0)
	equal(t, "mark", recordOf(t, s).own.Rejected, false)

	none := newSource(t)
	must(t, none.Reject(soon(t), l.AccessToken))
	must(t, none.Reject(soon(t), ""))
	w = watch(s)
	w.onGet = func(n int64) error {
		if n == 1 {
			return nil
		}
		return keystore.ErrNotFound // erased after the first look
	}
	must(t, s.Reject(soon(t), l.AccessToken))
	w.onGet = func(int64) error { return full }
	if err := s.Reject(soon(t), l.AccessToken); !errors.Is(err, keystore.ErrDenied) {
		t.Errorf("a store that cannot be read: %v", err)
	}
}

func TestATokenOlderThanMaxAgeIsRenewed(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	s.MaxAge = time.Hour
	equal(t, "young", wantToken(t, s, "").AccessToken.Reveal(), l.AccessToken)
	edit(t, s, func(rec *record) { rec.own.RenewedAt = time.Now().Add(-time.Hour - time.Second) })
	if token := wantToken(t, s, ""); token.AccessToken.Reveal() == l.AccessToken || token.Suspect {
		t.Errorf("old: %+v", token)
	}
	wantToken(t, s, "")
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
	equal(t, "renewals on rejection", len(recordOf(t, s).own.Loop), 0)
}

func TestATokenThatIsAboutToEndIsRenewed(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{JWT: 10 * time.Minute})
	s, l := keptLogin(t, o)
	token := wantToken(t, s, "")
	equal(t, "young", token.AccessToken.Reveal(), l.AccessToken)
	equal(t, "its end", token.Expires, l.IssuedAt.Add(10*time.Minute).Truncate(time.Second))
	edit(t, s, func(rec *record) {
		rec.fields["access_token"] = encode(jwtOf(`{"iat":1000,"exp":2000}`))
	})
	if token := wantToken(t, s, ""); !o.Alive(token.AccessToken.Reveal()) {
		t.Errorf("%+v", token)
	}
	wantRequests(t, o, 1)
	equal(t, "renewals on rejection", len(recordOf(t, s).own.Loop), 0)
}

func TestRenewRenewsWhateverIsKept(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	token, err := s.Renew(soon(t))
	must(t, err)
	if token.AccessToken.Reveal() == l.AccessToken || token.Suspect {
		t.Errorf("%+v", token)
	}
	again, err := s.Renew(soon(t))
	must(t, err)
	if again.AccessToken == token.AccessToken || again.Suspect {
		t.Errorf("%+v", again)
	}
	wantRequests(t, o, 2)
	wantAlive(t, o, s)
	equal(t, "renewals on rejection", len(recordOf(t, s).own.Loop), 0)
}

// TestARenewalFinishedMeanwhileCounts lets five see the old token while the first renews it.
func TestARenewalFinishedMeanwhileCounts(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, _ := keptLogin(t, o)
	release := o.Hold()
	ctx, tokens, looks := soon(t), make(chan Token), make(chan bool)
	renew := func(s *Source) {
		token, err := s.Renew(ctx)
		if err != nil {
			t.Error(err)
		}
		tokens <- token
	}
	go renew(s)
	must(t, o.Await(ctx, 1))
	for range 5 {
		other := &Source{Store: &keystore.Keychain{}, Org: s.Org}
		watch(other).onGot = func(n int64) {
			if n == 1 {
				looks <- true
			}
		}
		go renew(other)
	}
	for range 5 {
		<-looks
	}
	release()
	first := <-tokens
	for range 5 {
		equal(t, "token", (<-tokens).AccessToken, first.AccessToken)
	}
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
}

func TestTwentyReportsCauseOneRequest(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{true, false} {
		o := newOrg(t, orgtest.Rules{Rotate: rotate})
		s, l := keptLogin(t, o)
		o.End(l.AccessToken)
		ctx := soon(t)
		tokens := make(chan Token)
		for range 20 {
			go func() {
				token, err := (&Source{Store: &keystore.Keychain{}, Org: s.Org}).Token(ctx, l.AccessToken)
				if err != nil {
					t.Error(err)
				}
				tokens <- token
			}()
		}
		kept := make(map[Secret]int)
		for range 20 {
			kept[(<-tokens).AccessToken]++
		}
		equal(t, "callers with the kept token", kept[recordOf(t, s).token().AccessToken], 20)
		wantRequests(t, o, 1)
		wantAlive(t, o, s)
	}
}

func TestAnOrgThatMovedIsAskedWhereItIs(t *testing.T) {
	t.Parallel()
	old, now := newOrg(t, orgtest.Rules{}), newOrg(t, orgtest.Rules{})
	s, l := keptLogin(t, old)
	old.MoveTo(now.URL)
	token := wantToken(t, s, l.AccessToken)
	equal(t, "instance", token.InstanceURL, now.URL)
	_, err := s.Token(soon(t), token.AccessToken.Reveal())
	wantRefusal(t, err, ErrLoginRequired) // it does not know the login, but it was asked
	wantRequests(t, old, 1)
	wantRequests(t, now, 1)
}
