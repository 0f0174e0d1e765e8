package orgtest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const (
	alphanumeric  = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	tokenAlphabet = alphanumeric + "._"
)

// giveRefresh makes a new refresh token the login's only one.
func (o *Org) giveRefresh(l *login) {
	l.RefreshToken = "5Aep861" + random(tokenAlphabet, 80)
	o.refresh[l.RefreshToken] = l
	o.secrets = append(o.secrets, l.RefreshToken)
}

// giveAccess adds an access token to those the login has: Salesforce does not
// end the earlier ones.
func (o *Org) giveAccess(l *login) {
	s := &session{of: l}
	now := o.tick()
	l.InstanceURL = o.instance
	l.IssuedAt = now
	if life := o.rules.JWT; life > 0 {
		s.end = now.Add(life).Truncate(time.Second)
		l.AccessToken, l.format = newJWT(l.Login, o.URL, s.end), "jwt"
	} else {
		l.AccessToken, l.format = newAccessToken(o.id), "opaque"
	}
	l.signature = o.sign(l.identity + strconv.FormatInt(now.UnixMilli(), 10))
	o.access[l.AccessToken] = s
	o.secrets = append(o.secrets, l.AccessToken, l.signature)
}

// tick is the time in milliseconds, and never the same twice: else two answers
// could have one issued_at and one signature.
func (o *Org) tick() time.Time {
	now := time.Now().Truncate(time.Millisecond)
	if !now.After(o.issued) {
		now = o.issued.Add(time.Millisecond)
	}
	o.issued = now
	return now
}

func (o *Org) sign(text string) string {
	key := o.rules.ClientSecret
	if key == "" {
		key = o.key
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func newAccessToken(orgID string) string {
	return orgID[:15] + "!AQ" + random(tokenAlphabet, 94)
}

func newJWT(l Login, issuer string, end time.Time) string {
	return segment(map[string]any{"alg": "RS256", "typ": "JWT", "kid": "256"}) + "." +
		segment(map[string]any{
			"iss":       issuer,
			"sub":       "uid:" + l.UserID,
			"aud":       []string{l.InstanceURL},
			"client_id": l.ClientID,
			"iat":       l.IssuedAt.Unix(),
			"exp":       end.Unix(),
			"jti":       random(alphanumeric, 20),
		}) + "." +
		base64.RawURLEncoding.EncodeToString([]byte(random(tokenAlphabet, 256)))
}

func segment(claims map[string]any) string {
	text, _ := json.Marshal(claims)
	return base64.RawURLEncoding.EncodeToString(text)
}

// newID returns a record ID of 18 characters: 15 whose case matters, and three
// that keep it where case is lost.
func newID(prefix string) string {
	id := prefix + "Kd00000" + random(alphanumeric, 5)
	return id + caseSuffix(id)
}

// caseSuffix tells in each character which of five letters are capitals, the
// first being the lowest bit.
func caseSuffix(id string) string {
	var suffix strings.Builder
	for part := 0; part < len(id); part += 5 {
		bits := 0
		for i := range 5 {
			if c := id[part+i]; 'A' <= c && c <= 'Z' {
				bits |= 1 << i
			}
		}
		suffix.WriteByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[bits])
	}
	return suffix.String()
}

// random need not be even, only unlike any other.
func random(alphabet string, n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}
