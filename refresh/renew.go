package refresh

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"sf-credential-helper/keystore"
)

// update renews the login under its lock, unless what is kept meets the want by then.
func (s *Source) update(ctx context.Context, w want) (token Token, err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, keystore.DefaultWait)
		defer cancel()
	}
	asked := time.Now()
	end, _ := ctx.Deadline()
	err = keystore.Update(ctx, s.Store, s.Org, func(old []byte, keep func([]byte) error) error {
		rec, err := s.parse(old)
		if err != nil {
			return err
		}
		if w.metBy(rec, time.Now()) {
			token = rec.token()
			return nil
		}
		r := renewal{Source: s, want: w, rec: rec, keep: keep, asked: asked, end: end, floor: min(answerTime, end.Sub(asked)/2)}
		token, err = r.run(ctx)
		return err
	})
	return token, err
}

// renewal is one renewal, under the lock of its login.
type renewal struct {
	*Source
	want  want
	rec   record
	keep  func([]byte) error
	asked time.Time     // when the caller came, before it waited for its turn
	end   time.Time     // when it has to be answered
	floor time.Duration // how much time must be left for a request
}

// answerTime is what an org gets to answer in: with less at hand it is not asked, for an answer that
// comes too late may have spent the refresh token. A call of less than twice that has half of it.
const answerTime = 10 * time.Second

func (r *renewal) run(ctx context.Context) (Token, error) {
	now := time.Now()
	onRejection := !r.want.insists && (r.rec.own.Rejected || r.rec.isToken(r.want.rejected))
	if err := r.check(onRejection, now); err != nil {
		r.mark(onRejection)
		return Token{}, err
	}
	if e := r.rec.own.Refused.since(r.asked); e != nil {
		e.Org, e.CutOff = r.Org, r.rec.own.CutOff
		return Token{}, e
	}
	age := now.Sub(r.rec.own.RenewedAt)
	suspect := onRejection && 0 <= age && age < SuspectAge
	r.rec.own.Rejected = r.rec.own.Rejected || onRejection
	marked := r.rec.marked()
	answer, err := r.spend(ctx)
	if err != nil {
		return Token{}, err
	}
	if answer == nil { // another renewed it, out of reach of our lock
		return r.rec.token(), nil
	}
	if onRejection {
		r.rec.own.Loop = append(recent(r.rec.own.Loop, now), now)
	}
	r.rec = r.rec.merge(answer, time.Now()).fit()
	same := onRejection && r.rec.isToken(r.want.rejected) || r.rec.isToken(marked)
	r.rec.own.Rejected = same
	if err := r.settle(); err != nil {
		return Token{}, err
	}
	token := r.rec.token()
	token.Suspect = suspect
	if same {
		return Token{}, r.refuse("Salesforce gave out the rejected token again: it is not the token that is wrong")
	}
	return token, nil
}

// check refuses what cannot or must not be renewed.
func (r *renewal) check(onRejection bool, now time.Time) error {
	switch {
	case r.rec.text("refresh_token") == "":
		e := r.refuse("what is kept is an access token only, which cannot be renewed")
		e.Class = ErrLoginRequired
		return e
	case onRejection && len(recent(r.rec.own.Loop, now)) >= LoopCount:
		return r.refuse(fmt.Sprintf("%d fresh tokens were rejected within a minute: it is not the token that is wrong", LoopCount))
	}
	return nil
}

// mark keeps that the token was rejected, so that the next caller is not handed a dead token. To fail
// at this makes the refusal no worse.
func (r *renewal) mark(onRejection bool) {
	if onRejection && !r.rec.own.Rejected {
		r.rec.own.Rejected = true
		_ = r.keep(r.rec.encode())
	}
}

func (r *renewal) refuse(why string) *Error {
	return &Error{Org: r.Org, Class: ErrRefused, Description: why}
}

func recent(times []time.Time, now time.Time) []time.Time {
	var kept []time.Time
	for _, t := range times {
		if age := now.Sub(t); 0 <= age && age < LoopTime {
			kept = append(kept, t)
		}
	}
	return kept
}

// spend proves that the store can be written, and trades the grant for an answer. While it pauses
// between two tries nothing is under way, so there ctx may stop it; a request it does not stop. A nil
// answer says that another program, which our lock does not bind, has renewed the login meanwhile;
// r.rec is then what it kept.
func (r *renewal) spend(ctx context.Context) (map[string]json.RawMessage, error) {
	if err := r.inTime(); err != nil {
		return nil, err
	}
	if err := r.begin(); err != nil {
		return nil, err
	}
	asking, cancel := context.WithDeadline(context.WithoutCancel(ctx), r.end)
	defer cancel()
	for try := 0; ; try++ {
		if err := r.inTime(); err != nil { // the store may have asked a person
			r.abandon(nil)
			return nil, err
		}
		answer, refusal := r.exchange(asking, r.rec)
		if refusal == nil {
			return answer, nil
		}
		refusal.CutOff = r.rec.own.CutOff
		if refusal.Lost {
			return nil, refusal // the note stays, for the next refusal to tell of
		}
		spent := r.rec.text("refresh_token")
		if r.lookAgain(asking) && r.want.metBy(r.rec, time.Now()) {
			return nil, nil
		}
		if r.rec.text("refresh_token") != spent {
			if err := r.begin(); err != nil {
				return nil, err
			}
			continue
		}
		if err := r.wait(ctx, refusal, try); err != nil {
			r.abandon(refusal)
			return nil, err
		}
	}
}

func (r *renewal) inTime() error {
	if time.Until(r.end) >= r.floor {
		return nil
	}
	return &Error{Org: r.Org, Class: ErrTemporary, Description: "too little time is left to ask Salesforce and to keep its answer"}
}

// begin keeps a note that a renewal has begun. It differs from every note before, so it is written.
func (r *renewal) begin() error {
	if r.rec.own.CutOff.IsZero() {
		r.rec.own.CutOff = r.rec.own.Began
	}
	r.rec.own.Began = time.Now()
	return r.keep(r.rec.encode())
}

// abandon takes the note back, for nothing was spent, and leaves word of the refusal to those who wait
// for their turn. To fail at this is no harm, only a note too many.
func (r *renewal) abandon(refusal *Error) {
	r.rec.own.Began, r.rec.own.Refused = time.Time{}, note(refusal, time.Now())
	_ = r.keep(r.rec.encode())
}

// lookAgain reads the store once more, and reports whether another has renewed the login there.
func (r *renewal) lookAgain(ctx context.Context) bool {
	rec, err := r.look(ctx)
	if err != nil || rec.text("refresh_token") == r.rec.text("refresh_token") && rec.isToken(r.rec.text("access_token")) {
		return false
	}
	r.rec = rec
	return true
}

// wait returns nil when it is time to ask again, or why that time does not come.
func (r *renewal) wait(ctx context.Context, refusal *Error, try int) error {
	d := max(pause(try), refusal.RetryAfter)
	if refusal.Class != ErrTemporary || refusal.later && refusal.RetryAfter == 0 || time.Until(r.end) < d+r.floor {
		return refusal
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", refusal, ctx.Err())
	case <-time.After(d):
		return nil
	}
}

// pause is between a half and one and a half of a time that doubles: 0.25 s, 0.5 s, … 16 s.
func pause(try int) time.Duration {
	d := 250 * time.Millisecond << min(try, 6)
	return d/2 + rand.N(d)
}

// ErrUnkept means that Salesforce has renewed a login and the store would not take it: the refresh
// token that is kept may be spent.
var ErrUnkept = errors.New("the login was renewed, and the new one could not be written")

// settle keeps the renewed login. The old one may be spent by now, so it tries as long as it may, and
// three times at least.
func (r *renewal) settle() error {
	for try := 0; ; try++ {
		err := r.keep(r.rec.encode())
		if err == nil {
			return nil
		}
		if try >= 2 && time.Until(r.end) <= 0 {
			var k *keystore.Error
			if errors.As(err, &k) {
				err = k.Err
			}
			return &keystore.Error{Op: "kept", Name: r.Org, Err: fmt.Errorf("%w: %w", ErrUnkept, err)}
		}
		time.Sleep(min(100*time.Millisecond<<min(try, 5), 2*time.Second))
	}
}
