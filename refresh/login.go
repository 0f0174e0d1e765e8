package refresh

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"unicode"

	"sf-credential-helper/keystore"
)

// Login is what it takes to get tokens without a human, and what is known beside it.
type Login struct {
	AccessToken  Secret // the newest token, if there is one
	RefreshToken Secret // empty: the access token is all there is, and cannot be renewed
	ClientID     string // the app that the refresh token was given to
	ClientSecret Secret
	InstanceURL  string // where the tokens are good
	LoginURL     string // where to renew; empty: what the other addresses suggest
	OrgID        string
	UserID       string
	Username     string

	// fields are all that came, by Salesforce's names. The secrets are among them, so they stand in a
	// func, which is the one thing that fmt shows under no verb.
	fields func() object
}

// Kind says in words what a login is made of.
func (l Login) Kind() string {
	if l.RefreshToken == "" {
		return "access token only"
	}
	return "refresh token"
}

// ErrConflict means that Save would replace what a human would miss. The text says what.
var ErrConflict = errors.New("another login is kept under this name")

// Save keeps a login, unless one of another org or user is kept under the name already, or one that
// can be renewed where this one cannot: then it returns ErrConflict. It returns ErrLogin if the login
// lacks what it takes.
func (s *Source) Save(ctx context.Context, login Login) error { return s.save(ctx, login, false) }

// Replace is Save whatever is kept under the name.
func (s *Source) Replace(ctx context.Context, login Login) error { return s.save(ctx, login, true) }

func (s *Source) save(ctx context.Context, login Login, replace bool) error {
	rec, err := login.record()
	if err != nil {
		return err
	}
	return keystore.Update(ctx, s.Store, s.Org, func(old []byte, keep func([]byte) error) error {
		if old != nil && !replace {
			kept, err := parseRecord(old)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrConflict, err)
			}
			if why := conflict(kept.login(), rec.login()); why != "" {
				return fmt.Errorf("%w: %s", ErrConflict, why)
			}
		}
		if err := keep(rec.encode()); err != nil {
			return err
		}
		return keep(rec.encode()) // finds nothing to write, and so looks after the store's index
	})
}

// conflict says why one login should not silently take the place of another; empty if it may. Where
// the org or the user of one is not known, their instance decides.
func conflict(old, new Login) string {
	switch {
	case old.OrgID != "" && new.OrgID != "" && !sameID(old.OrgID, new.OrgID):
		return fmt.Sprintf("it is of org %s, and this one of org %s", old.OrgID, new.OrgID)
	case old.UserID != "" && new.UserID != "" && !sameID(old.UserID, new.UserID):
		return fmt.Sprintf("it is of user %s, and this one of user %s", old.UserID, new.UserID)
	case old.Username != "" && new.Username != "" && !strings.EqualFold(old.Username, new.Username):
		return fmt.Sprintf("it is of %s, and this one of %s", old.Username, new.Username)
	case (old.OrgID == "" || new.OrgID == "") && hostOf(old.InstanceURL) != hostOf(new.InstanceURL):
		return fmt.Sprintf("it is for %s, and this one for %s", orNone(old.InstanceURL), orNone(new.InstanceURL))
	case old.RefreshToken != "" && new.RefreshToken == "":
		return "it can be renewed, and this one is an access token only"
	}
	return ""
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Host
}

func orNone(address string) string {
	if address == "" {
		return "no known instance"
	}
	return address
}

// login is the record as others see it.
func (r record) login() Login {
	l := Login{
		AccessToken:  Secret(r.text("access_token")),
		RefreshToken: Secret(r.text("refresh_token")),
		ClientID:     r.own.ClientID,
		ClientSecret: Secret(r.own.ClientSecret),
		InstanceURL:  r.text("instance_url"),
		LoginURL:     r.own.LoginURL,
		Username:     r.text("username"),
		fields:       func() object { return r.fields },
	}
	l.OrgID, l.UserID = identity(r.text("id"))
	l.OrgID = cmp.Or(r.own.OrgID, l.OrgID, orgOfToken(r.text("access_token")))
	l.UserID = cmp.Or(r.own.UserID, l.UserID)
	return l
}

// record checks a login and turns it into what is kept. What the caller changed counts.
func (l Login) record() (record, error) {
	rec := record{fields: map[string]json.RawMessage{}, own: own{ClientID: l.ClientID, ClientSecret: l.ClientSecret.Reveal()}}
	if l.fields != nil {
		maps.Copy(rec.fields, l.fields())
	}
	if l.RefreshToken != "" && l.ClientID == "" {
		return record{}, fmt.Errorf("%w: there is a refresh token, and no client id to go with it", ErrNoClient)
	}
	for _, address := range []*string{&l.InstanceURL, &l.LoginURL} {
		if *address == "" {
			continue
		}
		checked, err := CheckURL(*address)
		if err != nil {
			return record{}, fmt.Errorf("%w: %w", ErrLogin, err)
		}
		*address = checked
	}
	switch {
	case l.AccessToken == "" && l.RefreshToken == "":
		return record{}, fmt.Errorf("%w: there is neither an access token nor a refresh token in it", ErrLogin)
	case l.RefreshToken == "" && l.InstanceURL == "":
		return record{}, fmt.Errorf("%w: nothing says at which org the token is good", ErrNoInstance)
	}
	rec.own.LoginURL = l.LoginURL
	for name, text := range map[string]string{
		"access_token": l.AccessToken.Reveal(), "refresh_token": l.RefreshToken.Reveal(),
		"instance_url": l.InstanceURL, "username": l.Username,
	} {
		delete(rec.fields, name)
		if text != "" {
			rec.fields[name] = encode(text)
		}
	}
	if told := rec.login(); told.OrgID != l.OrgID || told.UserID != l.UserID {
		rec.own.OrgID, rec.own.UserID = l.OrgID, l.UserID
	}
	if len(rec.encode()) > maxKept {
		return record{}, fmt.Errorf("%w: it is larger than %d KiB", ErrLogin, maxKept>>10)
	}
	return rec, rec.check()
}

// maxKept leaves room for what renewals add.
const maxKept = 48 << 10

// check refuses texts that would get into headers, shells and terminals and should not.
func (r record) check() error {
	for _, name := range []string{"access_token", "refresh_token", "instance_url", "id", "token_type", "issued_at", "sfdc_community_url"} {
		if raw, ok := r.fields[name]; ok && !isPrintable(fieldText(raw)) {
			return fmt.Errorf("%w: its %s has a control character, a space or a letter in it that cannot be", ErrLogin, name)
		}
	}
	if strings.ContainsFunc(r.text("username"), func(c rune) bool { return !unicode.IsPrint(c) }) {
		return fmt.Errorf("%w: its username has a control character in it", ErrLogin)
	}
	if !isPrintable(r.own.ClientID) || !isPrintable(r.own.ClientSecret) {
		return fmt.Errorf("%w: its client id or secret has a character in it that cannot be", ErrLogin)
	}
	return nil
}
