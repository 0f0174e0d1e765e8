package refresh

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh/orgtest"
)

func TestARenewedLoginIsKeptThoughTheStoreBalks(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	w := watch(s)
	w.onSet = func(n int64, _ []byte) error {
		if n == 2 || n == 3 {
			return full
		}
		return nil
	}
	token := wantToken(t, s, l.AccessToken)
	equal(t, "writes", w.sets.Load(), 4)
	equal(t, "token", token, recordOf(t, s).token())
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
}

func TestARenewedLoginThatCannotBeKeptIsNoToken(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	w := watch(s)
	w.onSet = func(n int64, _ []byte) error {
		if n > 1 {
			return full
		}
		return nil
	}
	token, err := s.Token(within(t, time.Second), l.AccessToken)
	var e *keystore.Error
	if !errors.As(err, &e) || !errors.Is(err, ErrUnkept) || !errors.Is(err, full.Err) || token != (Token{}) {
		t.Errorf("%+v, %v", token, err)
	}
	if n := w.sets.Load(); n < 4 {
		t.Errorf("it tried only %d times", n-1)
	}
	wantRequests(t, o, 1)
	w.onSet = nil
	_, err = s.Token(soon(t), "")
	if e := wantRefusal(t, err, ErrLoginRequired); e.CutOff.IsZero() {
		t.Errorf("%v", e)
	}
}

func TestTheNoteAfterARefusalMayFail(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	w := watch(s)
	w.onSet = func(n int64, _ []byte) error {
		if n > 1 {
			return full
		}
		return nil
	}
	o.Queue(orgtest.Refuse("invalid_grant", "ip restricted"))
	_, err := s.Token(soon(t), l.AccessToken)
	wantRefusal(t, err, ErrRefused)
	w.onSet = nil
	wantToken(t, s, "")
	wantAlive(t, o, s)
}

// TestOnlyTheRecordIsMerged is the merge end to end: nothing of the old answer is lost.
func TestOnlyTheRecordIsMerged(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	edit(t, s, func(rec *record) {
		rec.fields["of_old"] = json.RawMessage(`{"x":"<&>"}`)
		rec.fields["username"] = encode(user)
	})
	o.Queue(answerWith(map[string]any{"access_token": "new", "of_new": []int{1}}))
	wantToken(t, s, l.AccessToken)
	rec := recordOf(t, s)
	equal(t, "of old", string(rec.fields["of_old"]), `{"x":"<&>"}`)
	equal(t, "of new", string(rec.fields["of_new"]), `[1]`)
	equal(t, "signature", rec.text("signature") != "", true)
	equal(t, "login", rec.login().Username+rec.login().UserID+rec.login().InstanceURL, user+l.UserID+o.URL)
	equal(t, "issued_at", rec.text("issued_at"), "")
	equal(t, "refresh token", rec.text("refresh_token"), l.RefreshToken)
}
