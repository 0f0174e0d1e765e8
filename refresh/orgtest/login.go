package orgtest

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxLogins is how many refresh tokens Salesforce allows a user and app.
const maxLogins = 5

// Login is what a user has in hand after a login or a refresh.
type Login struct {
	Username      string
	OrgID, UserID string // 18 characters each
	ClientID      string
	ClientSecret  string // what the rules wanted when the user logged in
	InstanceURL   string
	AccessToken   string
	RefreshToken  string
	IssuedAt      time.Time // in whole milliseconds, another for every answer of an org

	identity  string
	signature string
	format    string
}

// login is the org's side of it: the Login as the last answer left it.
type login struct {
	Login
	live bool
}

// session is an access token's life. A zero end is none in sight.
type session struct {
	of   *login
	end  time.Time
	over bool
}

func (s *session) alive() bool {
	return s != nil && !s.over && (s.end.IsZero() || time.Now().Before(s.end))
}

// Login is a human logging in, with consent and all: it returns what the
// browser flow would have brought. It makes the user known to the org if need
// be. A user's sixth live login with one app silently revokes the oldest.
func (o *Org) Login(username string) Login {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.users[username] == "" {
		o.users[username] = newID("005")
	}
	l := &login{live: true, Login: Login{
		Username:     username,
		OrgID:        o.id,
		UserID:       o.users[username],
		ClientID:     o.rules.ClientID,
		ClientSecret: o.rules.ClientSecret,
	}}
	if l.ClientID == "" {
		l.ClientID = DefaultClient
	}
	l.identity = o.URL + "/id/" + l.OrgID + "/" + l.UserID
	o.limit(l)
	o.logins = append(o.logins, l)
	o.giveRefresh(l)
	o.giveAccess(l)
	return l.Login
}

// limit makes room for one more login of that user and app.
func (o *Org) limit(next *login) {
	var live []*login
	for _, l := range o.logins {
		if l.live && l.Username == next.Username && l.ClientID == next.ClientID {
			live = append(live, l)
		}
	}
	if len(live) >= maxLogins {
		o.revokeLogin(live[0])
	}
}

func (o *Org) revokeLogin(l *login) {
	l.live = false
	for _, s := range o.access {
		if s.of == l {
			s.over = true
		}
	}
}

// Current returns the user's latest login that is still live, as the org sees
// it: with the one refresh token that holds and the last access token given for
// it (which may have ended). It is the zero Login if none is live.
func (o *Org) Current(username string) Login {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, l := range slices.Backward(o.logins) {
		if l.live && l.Username == username {
			return l.Login
		}
	}
	return Login{}
}

// Alive reports whether an access or refresh token still holds.
func (o *Org) Alive(token string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.access[token].alive() || o.holds(token)
}

func (o *Org) holds(refreshToken string) bool {
	l := o.refresh[refreshToken]
	return l != nil && l.live && l.RefreshToken == refreshToken
}

// End ends a session, as an idle time-out does: APIs reject the access token
// from now on, the login stays. It reports whether the token was alive.
func (o *Org) End(accessToken string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.end(accessToken)
}

func (o *Org) end(accessToken string) bool {
	s := o.access[accessToken]
	if !s.alive() {
		return false
	}
	s.over = true
	return true
}

// EndLogin revokes a login with all its access tokens, as an administrator
// does. It reports whether the refresh token was alive.
func (o *Org) EndLogin(refreshToken string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.endLogin(refreshToken)
}

func (o *Org) endLogin(refreshToken string) bool {
	if !o.holds(refreshToken) {
		return false
	}
	o.revokeLogin(o.refresh[refreshToken])
	return true
}

// Secrets returns every secret the org ever gave out or asked for, in order:
// access tokens, refresh tokens, signatures and client secrets.
func (o *Org) Secrets() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.secrets)
}

// Answer returns Salesforce's token answer as people save it: indented JSON. Two
// of its fields are of no known use: a client has to carry them unharmed. One,
// sfdc_build, is a number that no float64 can hold.
func (l Login) Answer() []byte {
	text, _ := json.MarshalIndent(l.fields(), "", "  ")
	return append(text, '\n')
}

// AuthURL returns the login as the Salesforce CLI shows it:
// force://CLIENT:SECRET:REFRESH@HOST:PORT, where SECRET may be empty. Such a
// URL does not say whether the host speaks http or https.
func (l Login) AuthURL() string {
	_, host, _ := strings.Cut(l.InstanceURL, "://")
	return "force://" + l.ClientID + ":" + l.ClientSecret + ":" + l.RefreshToken + "@" + host
}

type fields struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`
	Signature    string `json:"signature"`
	Scope        string `json:"scope"`
	InstanceURL  string `json:"instance_url"`
	ID           string `json:"id"`
	TokenType    string `json:"token_type"`
	IssuedAt     string `json:"issued_at"`
	TokenFormat  string `json:"token_format"`
	Hints        []bool `json:"sfdc_hints"`
	Build        int64  `json:"sfdc_build"`
}

func (l Login) fields() fields {
	return fields{
		AccessToken:  l.AccessToken,
		RefreshToken: l.RefreshToken,
		Signature:    l.signature,
		Scope:        "refresh_token api web",
		InstanceURL:  l.InstanceURL,
		ID:           l.identity,
		TokenType:    "Bearer",
		IssuedAt:     strconv.FormatInt(l.IssuedAt.UnixMilli(), 10),
		TokenFormat:  l.format,
		Hints:        []bool{true, false},
		Build:        1<<53 + 1,
	}
}
