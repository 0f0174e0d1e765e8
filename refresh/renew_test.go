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

// TestAnOrgIsNotAskedWithTooLittleTimeLeft: an answer that came too late would cost a login that
// rotates. Who waited too long for its turn, or for a person at a prompt, spends nothing.
func TestAnOrgIsNotAskedWithTooLittleTimeLeft(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, _ := keptLogin(t, o)
	r := renewal{Source: s, rec: recordOf(t, s), end: time.Now().Add(time.Minute), floor: time.Hour}
	r.keep = func([]byte) error { t.Error("something was written"); return nil }
	_, err := r.spend(soon(t))
	wantRefusal(t, err, ErrTemporary)
	var kept []record
	r.floor = time.Second
	r.keep = func(data []byte) error {
		rec, err := parseRecord(data)
		kept, r.floor = append(kept, rec), time.Hour // the note takes its time
		return err
	}
	_, err = r.spend(soon(t))
	wantRefusal(t, err, ErrTemporary)
	if len(kept) != 2 || kept[0].own.Began.IsZero() || !kept[1].own.Began.IsZero() {
		t.Errorf("kept: %d times", len(kept))
	}
	wantRequests(t, o, 0)
}

// TestARenewedLoginIsMadeToFit: what comes beside the tokens must not cost the login.
func TestARenewedLoginIsMadeToFit(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	now := o.Current("ada@example.com")
	fields := object{"access_token": encode(now.AccessToken + "x"), "refresh_token": encode(now.RefreshToken),
		"id_token": encode(strings.Repeat("x", 70<<10)), "note": encode("\xe9")}
	body := strings.ReplaceAll(string(encode(fields)), `\ufffd`, "\xe9")
	o.Queue(orgtest.Reply{Status: 200, Body: body})
	wantToken(t, s, l.AccessToken)
	edit(t, s, func(rec *record) {
		rec.fields["id_token"] = encode(strings.Repeat("x", keystore.MaxSecret-len(rec.encode())-50))
	})
	o.Queue(orgtest.Reply{Status: 200, Body: `{"access_token":"00Dnext!x"}`})
	if _, err := s.Renew(soon(t)); !errors.Is(err, keystore.ErrInvalid) {
		t.Errorf("a record without room for a note: %v", err) // such as none is kept by us
	}
	edit(t, s, func(rec *record) { *rec = rec.fit() })
	if _, err := s.Renew(soon(t)); err != nil {
		t.Error(err)
	}
	rec := recordOf(t, s)
	if _, ok := rec.fields["id_token"]; ok || rec.text("refresh_token") != now.RefreshToken || rec.text("signature") == "" {
		t.Error("the record is not what it should be")
	}
}

// TestThoseWhoWaitedAreToldTheRefusal: of a crowd before a dead login one asks.
func TestThoseWhoWaitedAreToldTheRefusal(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	o.EndLogin(l.RefreshToken)
	release := o.Hold()
	w := watch(s)
	errs := make(chan error)
	for range 10 {
		go func() { _, err := s.Token(soon(t), l.AccessToken); errs <- err }()
	}
	must(t, o.Await(soon(t), 1))
	for w.gets.Load() < 11 { // all have looked, and one again
		time.Sleep(time.Millisecond)
	}
	release()
	for range 10 {
		e := wantRefusal(t, <-errs, ErrLoginRequired)
		if e.Code != "invalid_grant" || e.Org != s.Org {
			t.Errorf("%+v", e)
		}
	}
	wantRequests(t, o, 1)
	_, err := s.Token(soon(t), "") // who comes later asks for himself
	wantRefusal(t, err, ErrLoginRequired)
	wantRequests(t, o, 2)
}

// TestAnAnswerOfAGatewayIsALostOne: Salesforce may have acted before it.
func TestAnAnswerOfAGatewayIsALostOne(t *testing.T) {
	for name, reply := range map[string]orgtest.Reply{
		"502": {Status: 502, Body: "<html>"}, "504": {Status: 504, Body: "<html>"},
		"half": {Status: 200, Body: `{"access_token":"x`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			o.Queue(reply)
			_, err := s.Token(soon(t), l.AccessToken)
			if e := wantRefusal(t, err, ErrTemporary); !e.Lost {
				t.Errorf("%+v", e)
			}
			wantRequests(t, o, 1)
			if recordOf(t, s).own.Began.IsZero() {
				t.Error("the note is gone")
			}
		})
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
