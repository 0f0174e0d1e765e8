package refresh

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Token is an access token, and what Salesforce said beside it.
type Token struct {
	AccessToken Secret
	InstanceURL string // where it is good
	Type        string // "Bearer"
	ID          string // the identity URL
	Scope       string
	IssuedAt    time.Time // zero if unknown
	Expires     time.Time // zero if unknown, as it is for all but JWTs

	// Suspect says that the token before was rejected less than SuspectAge after it was renewed. That
	// is probably no expiry, and this one may be rejected just the same.
	Suspect bool
}

func (r record) token() Token {
	t := Token{
		AccessToken: Secret(r.text("access_token")),
		InstanceURL: r.text("instance_url"),
		Type:        r.text("token_type"),
		ID:          r.text("id"),
		Scope:       r.text("scope"),
		IssuedAt:    r.issuedAt(),
	}
	_, t.Expires = r.lifetime()
	return t
}

// lifetime is when the token began and ends, as far as it is known: from the claims of a JWT, or
// from expires_in, which Salesforce does not send today. Of a token that we renewed the beginning is
// told by our own clock, lest a wrong one has it renewed for each caller.
func (r record) lifetime() (from, to time.Time) {
	if from, to = claims(r.text("access_token")); !to.IsZero() {
		if at := r.own.RenewedAt; !at.IsZero() && !from.IsZero() {
			return at, at.Add(to.Sub(from))
		}
		return from, to
	}
	seconds, err := strconv.ParseInt(r.text("expires_in"), 10, 32)
	if from = r.since(); err != nil || seconds <= 0 || from.IsZero() {
		return time.Time{}, time.Time{}
	}
	return from, from.Add(time.Duration(seconds) * time.Second)
}

// claims reads iat and exp of a JWT. Its signature is for the org to check, not for us.
func claims(token string) (issued, expires time.Time) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return
	}
	var c struct{ Iat, Exp float64 }
	if json.Unmarshal(body, &c) != nil || c.Exp <= 0 || c.Exp > 1e12 || c.Iat < 0 {
		return
	}
	if c.Iat > 0 {
		issued = time.Unix(int64(c.Iat), 0)
	}
	return issued, time.Unix(int64(c.Exp), 0)
}

// endMargin is how long before its known end a token is renewed; half its life if that is shorter,
// or a token that lives a minute would be renewed for each caller.
const endMargin = 60 * time.Second

func (r record) endsSoon(now time.Time) bool {
	from, to := r.lifetime()
	if to.IsZero() {
		return false
	}
	margin := endMargin
	if life := to.Sub(from); life > 0 {
		margin = min(margin, life/2)
	}
	return to.Sub(now) < margin
}
