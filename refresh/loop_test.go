package refresh

import (
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

func TestAfterFiveRenewalsOnRejectionTheSixthIsRefused(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	rejected := l.AccessToken
	for i := range LoopCount {
		if i%2 == 0 { // a report counts, whichever way it comes
			must(t, s.Reject(soon(t), rejected))
			rejected = ""
		}
		token := wantToken(t, s, rejected)
		equal(t, "suspect", token.Suspect, i > 0)
		rejected = token.AccessToken.Reveal()
	}
	wantRequests(t, o, 5)
	before := recordOf(t, s)
	_, err := s.Token(soon(t), rejected)
	e := wantRefusal(t, err, ErrRefused)
	if e.Host != "" || e.Org != s.Org || e.Code != "" {
		t.Errorf("%+v", e)
	}
	must(t, s.Reject(soon(t), rejected))
	_, err = s.Token(soon(t), "")
	wantRefusal(t, err, ErrRefused)
	wantRequests(t, o, 5)
	equal(t, "fields", recordOf(t, s).fields, before.fields)

	token, err := s.Renew(soon(t))
	must(t, err)
	equal(t, "insisted", token.Suspect, false)
	wantRequests(t, o, 6)
	wantAlive(t, o, s)

	_, err = s.Token(soon(t), token.AccessToken.Reveal())
	wantRefusal(t, err, ErrRefused) // to insist does not forget the five
	wantRequests(t, o, 6)
}

func TestRenewalsOlderThanAMinuteAreNoLoop(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	now := time.Now()
	edit(t, s, func(rec *record) {
		for range LoopCount {
			rec.own.Loop = append(rec.own.Loop, now.Add(-LoopTime-time.Second))
		}
		rec.own.Loop = append(rec.own.Loop, now.Add(-time.Second))
	})
	wantToken(t, s, l.AccessToken)
	wantRequests(t, o, 1)
	loop := recordOf(t, s).own.Loop
	if len(loop) != 2 || !loop[0].Equal(now.Add(-time.Second)) {
		t.Errorf("kept: %v", loop)
	}
}

func TestOnlyTheLastMinuteCounts(t *testing.T) {
	now := testNow
	at := func(ages ...time.Duration) (times []time.Time) {
		for _, age := range ages {
			times = append(times, now.Add(-age))
		}
		return times
	}
	equal(t, "recent", recent(at(2*time.Minute, time.Minute, time.Minute-1, 0, -time.Second), now), at(time.Minute-1, 0))
	equal(t, "none", len(recent(nil, now)), 0)
}

func TestAFreshTokenThatIsRejectedIsSuspect(t *testing.T) {
	t.Parallel()
	o := newOrg(t, orgtest.Rules{Rotate: true})
	s, l := keptLogin(t, o)
	rejected := l.AccessToken
	for _, c := range []struct {
		name string
		age  time.Duration
		want bool
	}{
		{"just over the limit", SuspectAge, false},
		{"seconds old", 5 * time.Second, true},
		{"from the future", -patience, false},
	} {
		edit(t, s, func(rec *record) { rec.own.RenewedAt, rec.own.Loop = time.Now().Add(-c.age), nil })
		token := wantToken(t, s, rejected)
		equal(t, c.name, token.Suspect, c.want)
		rejected = token.AccessToken.Reveal()
		equal(t, "told again", wantToken(t, s, "").Suspect, false)
	}
	edit(t, s, func(rec *record) { rec.own.RenewedAt = time.Time{} })
	equal(t, "never renewed", wantToken(t, s, rejected).Suspect, false)
}

// TestRenewTakesTheTokenThatTheOrgStaysWith: nobody has rejected it.
func TestRenewTakesTheTokenThatTheOrgStaysWith(t *testing.T) {
	t.Parallel()
	s, l := keptLogin(t, newOrg(t, orgtest.Rules{}))
	o := newOrg(t, orgtest.Rules{})
	edit(t, s, func(rec *record) { rec.own.LoginURL = o.URL })
	o.Queue(answerWith(map[string]any{"access_token": l.AccessToken}))
	token, err := s.Renew(soon(t))
	must(t, err)
	equal(t, "token", token.AccessToken.Reveal(), l.AccessToken)
	wantToken(t, s, "")
	wantRequests(t, o, 1)
}

func TestTheRejectedTokenGivenOutAgainIsNoRenewal(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, s *Source, token string) error{
		"report": func(t *testing.T, s *Source, token string) error {
			_, err := s.Token(soon(t), token)
			return err
		},
		"mark": func(t *testing.T, s *Source, token string) error {
			must(t, s.Reject(soon(t), token))
			_, err := s.Token(soon(t), "")
			return err
		},
		"mark and late report": func(t *testing.T, s *Source, token string) error {
			must(t, s.Reject(soon(t), token))
			_, err := s.Token(soon(t), "another")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOrg(t, orgtest.Rules{Rotate: true})
			s, l := keptLogin(t, o)
			o.Queue(answerWith(map[string]any{"access_token": l.AccessToken, "refresh_token": "5AepNEW"}))
			wantRefusal(t, call(t, s, l.AccessToken), ErrRefused)
			wantRequests(t, o, 1)
			rec := recordOf(t, s)
			if rec.text("refresh_token") != "5AepNEW" || !rec.own.Rejected || !rec.own.Began.IsZero() {
				t.Errorf("kept: %s", rec.encode())
			}
		})
	}
}
