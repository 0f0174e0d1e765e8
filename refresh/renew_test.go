package refresh

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh/orgtest"
)

// TestTheStoreIsProvedBeforeTheTokenIsSpent looks into the store while the org has the request.
func TestTheStoreIsProvedBeforeTheTokenIsSpent(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	before := recordOf(t, s)
	var during record
	o.Queue(orgtest.Reply{Before: func() { during, _ = s.look(context.Background()) }})
	start := time.Now()
	wantToken(t, s, l.AccessToken)
	equal(t, "fields", during.fields, before.fields)
	if during.own.Began.Before(start) || !during.own.Rejected || !during.own.CutOff.IsZero() {
		t.Errorf("kept meanwhile: %+v", during.own)
	}
	if after := recordOf(t, s).own; !after.Began.IsZero() || !after.CutOff.IsZero() || after.Rejected {
		t.Errorf("kept afterwards: %+v", after)
	}
}

func TestAStoreThatCannotBeWrittenCostsNothing(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	before := string(recordOf(t, s).encode())
	w := watch(s)
	w.onSet = func(int64, []byte) error { return full }
	for _, call := range []func() error{
		func() error { _, err := s.Token(soon(t), l.AccessToken); return err },
		func() error { _, err := s.Renew(soon(t)); return err },
		func() error { return s.Reject(soon(t), l.AccessToken) },
	} {
		var e *keystore.Error
		if err := call(); !errors.As(err, &e) || !errors.Is(err, keystore.ErrDenied) {
			t.Errorf("%v", err)
		}
	}
	wantRequests(t, o, 0)
	equal(t, "writes tried", w.sets.Load(), 3)
	equal(t, "kept", string(recordOf(t, s).encode()), before)
	wantAlive(t, o, s)
}

func TestACallerWhoIsGoneBeforeItBeginsCostsNothing(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	ctx, cancel := context.WithCancel(soon(t))
	w := watch(s)
	w.onGot = func(n int64) {
		if n == 2 { // under the lock
			cancel()
		}
	}
	if _, err := s.Token(ctx, l.AccessToken); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	wantRequests(t, o, 0)
	equal(t, "writes", w.sets.Load(), 0)
}

func TestARenewalIsFinishedThoughItsCallerIsGone(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	ctx, cancel := context.WithCancel(soon(t))
	release := o.Hold()
	got := make(chan Token)
	go func() {
		token, err := s.Token(ctx, l.AccessToken)
		if err != nil {
			t.Error(err)
		}
		got <- token
	}()
	must(t, o.Await(soon(t), 1))
	cancel()
	release()
	equal(t, "token", <-got, recordOf(t, s).token())
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
}

func TestABeginningThatHangsEndsInTimeToKeepAnAnswer(t *testing.T) {
	for _, c := range []struct{ left, reserve time.Duration }{
		{time.Hour, keystore.KeepTime}, {time.Minute, keystore.KeepTime}, {8 * time.Second, 2 * time.Second},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), c.left)
		asking, stop := beforeKeeping(ctx)
		end, _ := ctx.Deadline()
		first, _ := asking.Deadline()
		if d := end.Sub(first); d > c.reserve || d < c.reserve/2 {
			t.Errorf("of %v %v are left to keep, not %v", c.left, end.Sub(first), c.reserve)
		}
		cancel()
		if asking.Err() != nil {
			t.Error("the caller's end is the request's")
		}
		stop()
	}
}

func TestAnOrgThatHangsIsGivenUp(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	o.Queue(orgtest.Reply{Hang: true})
	_, err := s.Token(within(t, 2*time.Second), l.AccessToken)
	e := wantRefusal(t, err, ErrTemporary)
	if !errors.Is(err, context.DeadlineExceeded) || e.Host != o.URL || e.Status != 0 || !strings.Contains(e.Error(), "no answer") {
		t.Errorf("%+v", e)
	}
	wantRequests(t, o, 1)
	if rec := recordOf(t, s); rec.own.Began.IsZero() || !rec.own.Rejected {
		t.Errorf("the note is gone: %+v", rec.own)
	}
	wantToken(t, s, "")
	wantAlive(t, o, s)
}

func TestALostAnswerIsNotAskedForAgain(t *testing.T) {
	for name, reply := range map[string]orgtest.Reply{"lost": {Lose: true}, "half lost": {LoseHalf: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			o.Queue(reply)
			start := time.Now()
			_, err := s.Token(soon(t), l.AccessToken)
			e := wantRefusal(t, err, ErrTemporary)
			if e.Cause == nil || !e.CutOff.IsZero() {
				t.Errorf("%+v", e)
			}
			wantRequests(t, o, 1)
			equal(t, "refresh token", recordOf(t, s).text("refresh_token"), l.RefreshToken)

			// The org has rotated, and takes the next try for a thief's.
			for i := range 3 {
				_, err = s.Token(soon(t), "")
				e = wantRefusal(t, err, ErrLoginRequired)
				if e.CutOff.Before(start) || e.CutOff.After(time.Now()) || !strings.Contains(e.Error(), e.CutOff.Local().Format("2006-01-02 at 15:04:05")) {
					t.Errorf("%+v: %v", e, e)
				}
				wantRequests(t, o, 2+i)
			}
		})
	}
}

func TestARenewalCutOffIsToldUntilOneSucceeds(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	killed := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	edit(t, s, func(rec *record) { rec.own.Began = killed })
	refuse := func() *Error {
		t.Helper()
		o.Queue(orgtest.Refuse("invalid_grant", "ip restricted"))
		_, err := s.Renew(soon(t))
		return wantRefusal(t, err, ErrRefused)
	}
	for range 3 {
		e := refuse()
		equal(t, "cut off", e.CutOff.Equal(killed), true)
		if when := killed.Local().Format("2006-01-02 at 15:04:05"); !strings.Contains(e.Error(), when) {
			t.Errorf("%v does not say %s", e, when)
		}
		if rec := recordOf(t, s); !rec.own.Began.IsZero() || !rec.own.CutOff.Equal(killed) {
			t.Errorf("kept: %+v", rec.own)
		}
	}
	o.Queue(orgtest.Reply{Status: 200, Body: "<html>", Header: http.Header{"Retry-After": {"3600"}}})
	_, err := s.Renew(soon(t))
	equal(t, "cut off", wantRefusal(t, err, ErrTemporary).CutOff.Equal(killed), true)

	wantToken(t, s, l.AccessToken)
	equal(t, "cut off", refuse().CutOff, time.Time{})
}
