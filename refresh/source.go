package refresh

import (
	"context"
	"errors"
	"net/http"
	"time"

	"sf-credential-helper/keystore"
)

const (
	// SuspectAge is the age under which a token that is rejected is probably not expired.
	SuspectAge = 30 * time.Second
	// LoopCount renewals on rejection within LoopTime are a loop: the next is refused.
	LoopCount = 5
	// LoopTime is described with LoopCount.
	LoopTime = time.Minute
)

// Source yields the access tokens of one kept login. Any number of Sources, in any number of
// processes, may do so at once: a renewal is done by one of them.
type Source struct {
	Store  keystore.Store
	Org    string        // the name of the login in the store
	Client *http.Client  // nil: one that heeds the environment's proxies and $SSL_CERT_FILE
	MaxAge time.Duration // if not 0, a token older than this is renewed
}

// Token returns an access token other than rejected, which is the token that an API answered 401 to,
// or empty. What it returns is kept in the store.
//
// The kept token is returned as it is, at the cost of one read, unless it is the rejected one, is
// marked so by [Source.Reject], ends within a minute or is older than MaxAge. Otherwise the login is
// renewed, by one request whoever else asks for it, and kept before Token returns. Once that has
// begun ctx does not stop it, but for its deadline (60 s if it has none).
//
// The error is an [*Error], or one of the store's.
func (s *Source) Token(ctx context.Context, rejected string) (Token, error) {
	rec, err := s.look(ctx)
	if err != nil {
		return Token{}, err
	}
	w := want{rejected: rejected, maxAge: s.MaxAge}
	if w.metBy(rec, time.Now()) {
		return rec.token(), nil
	}
	return s.update(ctx, w)
}

// Renew is Token for a human who insists: whatever the kept token is worth, it asks for a new one.
// A renewal that another process finished while we waited our turn counts.
func (s *Source) Renew(ctx context.Context) (Token, error) {
	rec, err := s.look(ctx)
	if err != nil {
		return Token{}, err
	}
	return s.update(ctx, want{rejected: rec.text("access_token"), insists: true})
}

// Reject notes that an API answered 401 to token, so that the next Token renews it. It does nothing
// if token is not the kept one: then somebody has renewed it already.
func (s *Source) Reject(ctx context.Context, token string) error {
	concerned := func(rec record) bool {
		return rec.isToken(token) && !rec.own.Rejected
	}
	rec, err := s.look(ctx)
	if errors.Is(err, keystore.ErrNotFound) {
		return nil
	}
	if err != nil || !concerned(rec) {
		return err
	}
	return keystore.Update(ctx, s.Store, s.Org, func(old []byte, keep func([]byte) error) error {
		if old == nil {
			return nil
		}
		rec, err := s.parse(old)
		if err != nil || !concerned(rec) {
			return err
		}
		rec.own.Rejected = true
		return keep(rec.encode())
	})
}

// Login returns what is kept.
func (s *Source) Login(ctx context.Context) (Login, error) {
	rec, err := s.look(ctx)
	return rec.login(), err
}

// look reads what is kept, without a lock.
func (s *Source) look(ctx context.Context) (record, error) {
	data, err := s.Store.Get(ctx, s.Org)
	if errors.Is(err, keystore.ErrNotFound) {
		return record{}, s.notKept()
	}
	if err != nil {
		return record{}, err
	}
	return s.parse(data)
}

func (s *Source) parse(data []byte) (record, error) {
	if data == nil {
		return record{}, s.notKept()
	}
	rec, err := parseRecord(data)
	if err != nil {
		return record{}, &keystore.Error{Op: "read", Name: s.Org, Err: err}
	}
	return rec, nil
}

func (s *Source) notKept() error {
	return &Error{Org: s.Org, Class: ErrLoginRequired, Description: "no login is kept under this name", Cause: keystore.ErrNotFound}
}

// want is what a caller asks of a token.
type want struct {
	rejected string
	maxAge   time.Duration
	insists  bool // whatever the rule against loops says
}

func (w want) metBy(rec record, now time.Time) bool {
	token := rec.text("access_token")
	return token != "" && token != w.rejected && !rec.own.Rejected && !rec.endsSoon(now) && w.youngEnough(rec, now)
}

// youngEnough passes a token from the near future, for Salesforce's clock is not ours, and none from
// the far one, for then our own was set back.
func (w want) youngEnough(rec record, now time.Time) bool {
	age := now.Sub(rec.since())
	return w.maxAge <= 0 || -endMargin < age && age <= w.maxAge
}
