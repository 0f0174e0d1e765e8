package refresh

import (
	"errors"
	"strings"
	"testing"

	"sf-credential-helper/refresh/orgtest"
)

const (
	id1 = "https://login.salesforce.com/id/00D000000000001AAA/005000000000001AAA"
	id2 = "https://login.salesforce.com/id/00D000000000002AAA/005000000000002AAA"
)

var conflicts = []struct {
	name, old, new string
	want           string // a part of the reason; empty if there is none
}{
	{"the same", `{"refresh_token":"r","id":"` + id1 + `"}`, `{"refresh_token":"s","id":"` + id1 + `"}`, ""},
	{"a shorter id of the same", `{"refresh_token":"r","id":"` + id1 + `"}`, `{"refresh_token":"s","id":"https://test.salesforce.com/id/00D000000000001/005000000000001"}`, ""},
	{"the same org, moved", `{"refresh_token":"r","id":"` + id1 + `","instance_url":"https://a"}`, `{"refresh_token":"s","id":"` + id1 + `","instance_url":"https://b"}`, ""},
	{"another org", `{"refresh_token":"r","id":"` + id1 + `"}`, `{"refresh_token":"s","id":"` + id2 + `"}`, "of org 00D000000000001AAA, and this one of org 00D000000000002AAA"},
	{"another org by its token", `{"access_token":"00D000000000001!x","instance_url":"https://a"}`, `{"access_token":"00D000000000002!x","instance_url":"https://a"}`, "of org 00D000000000001,"},
	{"an org that differs in case", `{"access_token":"00D00000000000a!x","instance_url":"https://a"}`, `{"access_token":"00D00000000000A!x","instance_url":"https://a"}`, "org"},
	{"another user", `{"refresh_token":"r","id":"` + id1 + `"}`, `{"refresh_token":"s","id":"https://login.salesforce.com/id/00D000000000001AAA/005000000000002AAA"}`, "of user 005000000000001AAA, and"},
	{"another username", `{"refresh_token":"r","username":"ada@example.com"}`, `{"refresh_token":"s","username":"bob@example.com"}`, "of ada@example.com, and this one of bob@example.com"},
	{"the same username", `{"refresh_token":"r","username":"ada@example.com"}`, `{"refresh_token":"s","username":"Ada@Example.com"}`, ""},
	{"another instance", `{"refresh_token":"r","instance_url":"https://a"}`, `{"refresh_token":"s","instance_url":"https://b"}`, "for https://a, and this one for https://b"},
	{"the same instance", `{"refresh_token":"r","instance_url":"https://a/x"}`, `{"refresh_token":"s","instance_url":"https://A"}`, ""},
	{"another instance, one org known", `{"refresh_token":"r","id":"` + id1 + `","instance_url":"https://a"}`, `{"refresh_token":"s","instance_url":"https://b"}`, "for https://a"},
	{"no instance known", `{"refresh_token":"r","instance_url":"https://a"}`, `{"refresh_token":"s"}`, "no known instance"},
	{"a token for a login", `{"access_token":"00D000000000001!x","refresh_token":"r","instance_url":"https://a"}`, `{"access_token":"00D000000000001!y","instance_url":"https://a"}`, "access token only"},
	{"a token for a token", `{"access_token":"00D000000000001!x","instance_url":"https://a"}`, `{"access_token":"00D000000000001!y","instance_url":"https://a"}`, ""},
	{"a login for a token", `{"access_token":"00D000000000001!x","instance_url":"https://a"}`, `{"refresh_token":"s","instance_url":"https://a"}`, ""},
}

// parsed is a login that names its client.
func parsed(t *testing.T, text string) Login {
	t.Helper()
	login, err := ParseLogin([]byte(text))
	must(t, err)
	login.ClientID = "c"
	return login
}

func TestWhatAHumanWouldMissIsNotReplaced(t *testing.T) {
	s := newSource(t)
	for _, c := range conflicts {
		must(t, s.Replace(soon(t), parsed(t, c.old)))
		before := string(recordOf(t, s).encode())
		err := s.Save(soon(t), parsed(t, c.new))
		if c.want == "" {
			if err != nil || string(recordOf(t, s).encode()) == before {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrConflict) || errors.Is(err, ErrLogin) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		equal(t, c.name, string(recordOf(t, s).encode()), before)
		must(t, s.Replace(soon(t), parsed(t, c.new)))
		if string(recordOf(t, s).encode()) == before {
			t.Errorf("%s: Replace did not replace", c.name)
		}
	}
}

func TestARecordThatIsDamagedIsReplacedOnDemandOnly(t *testing.T) {
	s := newSource(t)
	for _, damaged := range []string{"not JSON", `{"sf-credential-helper":[]}`, "[]"} {
		must(t, s.Store.Set(t.Context(), s.Org, []byte(damaged)))
		if err := s.Save(soon(t), Login{RefreshToken: "r", ClientID: "c"}); !errors.Is(err, ErrConflict) {
			t.Errorf("%v", err)
		}
		kept, err := s.Store.Get(t.Context(), s.Org)
		must(t, err)
		equal(t, "kept", string(kept), damaged)
		must(t, s.Replace(soon(t), parsed(t, sample)))
		equal(t, "token", wantToken(t, s, "").AccessToken, "00D41000....uLZBpT6")
	}
}

// TestAnEqualLoginIsNothingToWrite holds that what is to be kept is what is kept, to the byte: the
// store does not write that again.
func TestAnEqualLoginIsNothingToWrite(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	s, l := keptLogin(t, o)
	before := string(recordOf(t, s).encode())
	w := watch(s)
	w.onSet = func(_ int64, secret []byte) error {
		equal(t, "written", string(secret), before)
		return nil
	}
	must(t, s.Save(soon(t), asLogin(t, l)))
	must(t, s.Replace(soon(t), asLogin(t, l)))
	login, err := s.Login(soon(t))
	must(t, err)
	must(t, s.Save(soon(t), login))
	equal(t, "writes", w.sets.Load(), 6)
}

func TestASavedLoginIsTheWholeAnswer(t *testing.T) {
	o := newOrg(t, orgtest.Rules{ClientSecret: "hush-hush"})
	s, l := keptLogin(t, o)
	rec := recordOf(t, s)
	equal(t, "fields", string(encode(rec.fields)), string(encode(objectFrom(t, string(l.Answer())))))
	equal(t, "ours", rec.own, own{ClientID: l.ClientID, ClientSecret: "hush-hush"})
	login, err := s.Login(soon(t))
	must(t, err)
	login.fields = nil
	equal(t, "login", login, Login{
		AccessToken: Secret(l.AccessToken), RefreshToken: Secret(l.RefreshToken), ClientID: l.ClientID, ClientSecret: "hush-hush",
		InstanceURL: o.URL, OrgID: l.OrgID, UserID: l.UserID,
	})
	equal(t, "kind", login.Kind(), "refresh token")
	equal(t, "kind", Login{AccessToken: opaque}.Kind(), "access token only")
}

func TestWhatTheCallerChangedCounts(t *testing.T) {
	login := parsed(t, sample)
	login.ClientID, login.ClientSecret = "mine", "hush"
	login.LoginURL, login.InstanceURL = "ACME.my.salesforce.com/", "https://Other.my.salesforce.com"
	login.AccessToken, login.RefreshToken, login.Username = "a2", "r2", "ada@example.com"
	rec, err := login.record()
	must(t, err)
	equal(t, "ours", rec.own, own{ClientID: "mine", ClientSecret: "hush", LoginURL: "https://acme.my.salesforce.com"})
	for name, want := range map[string]string{
		"access_token": "a2", "refresh_token": "r2", "instance_url": "https://other.my.salesforce.com", "username": "ada@example.com",
		"signature": "cjTbSc5DvcKpaMoRTzuQTJLb1tcMw8LEO01flq4aMD4=",
	} {
		equal(t, name, rec.text(name), want)
	}
	equal(t, "host", rec.host(), "https://acme.my.salesforce.com")

	login = parsed(t, sample)
	login.RefreshToken, login.ClientID = "", ""
	rec, err = login.record()
	must(t, err)
	equal(t, "a refresh token taken out", rec.text("refresh_token"), "")
	equal(t, "the login it came from", parsed(t, sample).RefreshToken, "5Aep....25xdGgkrV")
}

func TestALoginThatLacksWhatItTakesIsNotKept(t *testing.T) {
	s := newSource(t)
	w := watch(s)
	for _, c := range []struct {
		name  string
		login Login
		want  error
	}{
		{"nothing", Login{ClientID: "c", InstanceURL: acme}, ErrLogin},
		{"no client", Login{RefreshToken: "r"}, ErrNoClient},
		{"no instance", Login{AccessToken: opaque}, ErrNoInstance},
		{"instance over http", Login{RefreshToken: "r", ClientID: "c", InstanceURL: "http://acme"}, ErrLogin},
		{"login URL over http", Login{RefreshToken: "r", ClientID: "c", LoginURL: "http://acme"}, ErrLogin},
		{"login URL of a page", Login{RefreshToken: "r", ClientID: "c", LoginURL: "https://acme.lightning.force.com"}, ErrLogin},
		{"client id in two lines", Login{RefreshToken: "r", ClientID: "c\nd"}, ErrLogin},
		{"client secret with an escape code", Login{RefreshToken: "r", ClientID: "c", ClientSecret: "\x1b"}, ErrLogin},
		{"refresh token with a blank", Login{RefreshToken: "r r", ClientID: "c"}, ErrLogin},
		{"username in two lines", Login{RefreshToken: "r", ClientID: "c", Username: "a\nb"}, ErrLogin},
	} {
		for _, save := range []func() error{
			func() error { return s.Save(soon(t), c.login) },
			func() error { return s.Replace(soon(t), c.login) },
		} {
			if err := save(); !errors.Is(err, c.want) || !errors.Is(err, ErrLogin) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
	equal(t, "calls of the store", w.gets.Load()+w.sets.Load(), 0)
	must(t, s.Save(soon(t), Login{RefreshToken: "r", ClientID: "c", Username: "zoë@example.com"}))
}

func TestAStoreThatCannotBeWrittenIsSaidSo(t *testing.T) {
	s := newSource(t)
	w := watch(s)
	w.onSet = func(n int64, _ []byte) error { return full }
	if err := s.Save(soon(t), parsed(t, sample)); err != full {
		t.Errorf("%v", err)
	}
	w.onSet = func(n int64, _ []byte) error {
		if n == 3 {
			return full // the look after the index
		}
		return nil
	}
	if err := s.Save(soon(t), parsed(t, sample)); err != full {
		t.Errorf("%v", err)
	}
}

// TestTheOrgThatTheCLINamesIsKept, though no field of Salesforce's tells it.
func TestTheOrgThatTheCLINamesIsKept(t *testing.T) {
	t.Parallel()
	s := newSource(t)
	login, err := ParseLogin([]byte(`{"result":{"id":"00D410000000001EAA","sfdxAuthUrl":"force://PlatformCLI::5Aep@acme.my.salesforce.com"}}`))
	must(t, err)
	must(t, s.Save(t.Context(), login))
	kept, err := s.Login(t.Context())
	must(t, err)
	equal(t, "org", kept.OrgID, "00D410000000001EAA")
	login.OrgID = "00D990000000009EAA"
	if err := s.Save(t.Context(), login); !errors.Is(err, ErrConflict) {
		t.Errorf("another org's login: %v", err)
	}
}
