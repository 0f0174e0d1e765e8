package refresh

import (
	"context"
	"testing"

	"sf-credential-helper/refresh/orgtest"
)

// TestANewerRefreshTokenIsNotSpentUnproved has a store that takes the first note and not the second.
func TestANewerRefreshTokenIsNotSpentUnproved(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, old := keptLogin(t, o)
	elsewhere(t, o, &Source{Store: s.Store, Org: s.Org}, rereadReasons["expired"], func(rec *record) { rec.own.Rejected = true })
	watch(s).onSet = func(n int64, _ []byte) error {
		if n > 1 {
			return full
		}
		return nil
	}
	if _, err := s.Token(soon(t), old.AccessToken); err != full {
		t.Errorf("%v", err)
	}
	wantRequests(t, o, 1)
	wantAlive(t, o, s)
}

// elsewhere is a login of the same user by another program, which our lock does not bind: it is in
// the store as soon as the org gets the request.
func elsewhere(t *testing.T, o *orgtest.Org, s *Source, refusal orgtest.Reply, change func(*record)) orgtest.Login {
	t.Helper()
	l := o.Login(user)
	rec, err := asLogin(t, l).record()
	must(t, err)
	change(&rec)
	refusal.Before = func() {
		if err := s.Store.Set(context.Background(), s.Org, rec.encode()); err != nil {
			t.Error(err)
		}
	}
	o.Queue(refusal)
	return l
}

var rereadReasons = map[string]orgtest.Reply{
	"being processed": orgtest.Refuse("invalid_grant", "token request is already being processed"),
	"its old text":    orgtest.Refuse("invalid_grant", "expired authorization code"),
	"expired":         orgtest.Refuse("invalid_grant", "expired access/refresh token"),
}

func TestWhatAnotherProgramRenewedIsTaken(t *testing.T) {
	for name, refusal := range rereadReasons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, old := keptLogin(t, o)
			now := elsewhere(t, o, s, refusal, func(*record) {})
			equal(t, "token", wantToken(t, s, old.AccessToken).AccessToken.Reveal(), now.AccessToken)
			wantRequests(t, o, 1)
			wantAlive(t, o, s)
		})
	}
}

func TestANewerRefreshTokenOfAnotherProgramIsTried(t *testing.T) {
	for name, refusal := range rereadReasons {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, old := keptLogin(t, o)
			now := elsewhere(t, o, s, refusal, func(rec *record) { rec.own.Rejected = true })
			var during record
			o.Queue(orgtest.Reply{Before: func() { during, _ = s.look(context.Background()) }})
			token := wantToken(t, s, old.AccessToken)
			if text := token.AccessToken.Reveal(); text == old.AccessToken || text == now.AccessToken {
				t.Errorf("%q", text)
			}
			wantRequests(t, o, 2)
			equal(t, "second request", o.Requests()[1].Form.Get("refresh_token"), now.RefreshToken)
			equal(t, "note before it", during.own.Began.IsZero(), false)
			wantAlive(t, o, s)
		})
	}
}
