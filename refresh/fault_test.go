package refresh

import (
	"context"
	"errors"
	"testing"
	"time"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh/orgtest"
)

func TestNothingKeptNeedsALogin(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	for name, call := range map[string]func() error{
		"Token":  func() error { _, err := s.Token(soon(t), ""); return err },
		"report": func() error { _, err := s.Token(soon(t), "x"); return err },
		"Renew":  func() error { _, err := s.Renew(soon(t)); return err },
		"Login":  func() error { _, err := s.Login(soon(t)); return err },
		"update": func() error { _, err := s.update(soon(t), want{}); return err },
	} {
		e := wantRefusal(t, call(), ErrLoginRequired)
		if !errors.Is(e, keystore.ErrNotFound) || e.Org != s.Org || e.Host != "" {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestATokenAloneCannotBeRenewed(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{})
	s := newSource(t)
	must(t, s.Save(t.Context(), Login{AccessToken: opaque, InstanceURL: o.URL}))
	equal(t, "token", wantToken(t, s, "").AccessToken, Secret(opaque))
	equal(t, "token", wantToken(t, s, "another").AccessToken, Secret(opaque))
	w := watch(s)
	_, err := s.Token(soon(t), opaque)
	wantRefusal(t, err, ErrLoginRequired)
	_, err = s.Renew(soon(t))
	wantRefusal(t, err, ErrLoginRequired)
	equal(t, "writes", w.sets.Load(), 1)
	_, err = s.Token(soon(t), "") // it was marked: a dead token is handed to nobody
	wantRefusal(t, err, ErrLoginRequired)
	equal(t, "writes", w.sets.Load(), 1)
	wantRequests(t, o, 0)
}

func TestADamagedRecordIsTheStoresFault(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	must(t, s.Store.Set(t.Context(), s.Org, []byte("not JSON")))
	for _, call := range []func() error{
		func() error { _, err := s.Token(soon(t), ""); return err },
		func() error { _, err := s.Renew(soon(t)); return err },
		func() error { return s.Reject(soon(t), "x") },
	} {
		var e *keystore.Error
		if err := call(); !errors.As(err, &e) || e.Name != s.Org || errors.Is(err, ErrLoginRequired) {
			t.Errorf("%v", err)
		}
	}
}

func TestAStoreThatCannotBeReadIsNoReasonToLogIn(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{})
	s, l := keptLogin(t, o)
	for _, n := range []int64{1, 2} {
		w := &watched{Store: s.Store, onGet: func(i int64) error {
			if i == n {
				return full
			}
			return nil
		}}
		_, err := (&Source{Store: w, Org: s.Org}).Token(soon(t), l.AccessToken)
		if !errors.Is(err, keystore.ErrDenied) || errors.Is(err, ErrLoginRequired) {
			t.Errorf("read %d: %v", n, err)
		}
	}
	wantRequests(t, o, 0)
}

func TestACallerMayGiveUpWhileItWaitsItsTurn(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{})
	s, l := keptLogin(t, o)
	must(t, keystore.Update(soon(t), s.Store, s.Org, func([]byte, func([]byte) error) error {
		_, err := s.Token(within(t, 50*time.Millisecond), l.AccessToken)
		if !errors.Is(err, keystore.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		return nil
	}))
	wantRequests(t, o, 0)
}
