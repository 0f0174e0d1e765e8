package refresh

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"sf-credential-helper/refresh/orgtest"
)

// sample is the saved answer of salesforce.md, as users have it in files. It has no client id.
const sample = `{ "access_token": "00D41000....uLZBpT6", "refresh_token": "5Aep....25xdGgkrV",
  "signature": "cjTbSc5DvcKpaMoRTzuQTJLb1tcMw8LEO01flq4aMD4=", "scope": "refresh_token id",
  "instance_url": "https://d41000000f8a0eak-dev-ed.my.salesforce.com",
  "id": "https://login.salesforce.com/id/00D41000000F8A0EAK/005410000....xAAE",
  "token_type": "Bearer", "issued_at": "1738348388166" }
`

const (
	opaque = "00D410000000001!AQEAQ.abcdefghijklmnopqrstuvwxyz_0123456789"
	jwt    = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MzgzNDgzODh9.c2lnbmF0dXJl"
	auth   = "force://PlatformCLI::5Aep861abc._==@acme.my.salesforce.com"
	acme   = "https://acme.my.salesforce.com"
)

var cliLogin = Login{ClientID: "PlatformCLI", RefreshToken: "5Aep861abc._==", InstanceURL: acme}

var logins = []struct {
	name, input string
	want        Login
}{
	{"the sample", sample, Login{
		AccessToken: "00D41000....uLZBpT6", RefreshToken: "5Aep....25xdGgkrV",
		InstanceURL: "https://d41000000f8a0eak-dev-ed.my.salesforce.com",
		OrgID:       "00D41000000F8A0EAK", UserID: "005410000....xAAE",
	}},
	{"the sample with CRLF", strings.ReplaceAll(sample, "\n", "\r\n"), Login{
		AccessToken: "00D41000....uLZBpT6", RefreshToken: "5Aep....25xdGgkrV",
		InstanceURL: "https://d41000000f8a0eak-dev-ed.my.salesforce.com",
		OrgID:       "00D41000000F8A0EAK", UserID: "005410000....xAAE",
	}},
	{"an answer with its app", `{"refresh_token":"5Aep1","client_id":"app","client_secret":"hush","username":"ada@example.com"}`,
		Login{RefreshToken: "5Aep1", ClientID: "app", ClientSecret: "hush", Username: "ada@example.com"}},
	{"an answer with a token only", `{"access_token":"` + opaque + `","instance_url":"` + acme + `"}`,
		Login{AccessToken: opaque, InstanceURL: acme, OrgID: "00D410000000001"}},
	{"an answer with nulls and nothings", `{"access_token":"` + jwt + `","refresh_token":null,"client_id":"","username":null,"id":null,"instance_url":""}`,
		Login{AccessToken: jwt}},
	{"an answer of another type of token", `{"refresh_token":"5Aep1","issued_at":1738348388166,"token_type":null}`, Login{RefreshToken: "5Aep1"}},
	{"auth URL", auth, cliLogin},
	{"auth URL in lines", "\r\n" + auth + "\r\n\r\n", cliLogin},
	{"auth URL with a BOM", "\ufeff" + auth + "\n", cliLogin},
	{"auth URL with a secret and a port", "force://a.b_c-d:hush==:5Aep@Localhost:7443\n",
		Login{ClientID: "a.b_c-d", ClientSecret: "hush==", RefreshToken: "5Aep", InstanceURL: "https://localhost:7443"}},
	{"auth URL as JSON", `{"sfdxAuthUrl":"` + auth + `"}`, cliLogin},
	{"show-sfdx-auth-url", `{"status":0,"result":{"sfdxAuthUrl":"` + auth + `"}}`, cliLogin},
	{"with warnings", "{\n \"status\": 0,\n \"result\": {\"sfdxAuthUrl\": \"" + auth + "\"},\n \"warnings\": [\"This command will expose sensitive information\"]\n}\n", cliLogin},
	{"show-access-token", `{"status":0,"result":{"accessToken":"` + opaque + `"}}`, Login{AccessToken: opaque, OrgID: "00D410000000001"}},
	{"display of old", `{"status":0,"result":{"id":"00D41000000F8A0EAK","accessToken":"` + opaque + `","instanceUrl":"https://ACME.my.salesforce.com/","username":"ada@example.com","clientId":"PlatformCLI","connectedStatus":"Connected","sfdxAuthUrl":"` + auth + `","alias":"my"},"warnings":[]}`,
		Login{AccessToken: opaque, RefreshToken: "5Aep861abc._==", ClientID: "PlatformCLI", InstanceURL: acme, OrgID: "00D41000000F8A0EAK", Username: "ada@example.com"}},
	{"display with one of two hidden", `{"status":0,"result":{"accessToken":"[REDACTED] Use 'sf org auth show-access-token' to view","sfdxAuthUrl":"` + auth + `"}}`, cliLogin},
	{"display with the other hidden", `{"status":0,"result":{"accessToken":"` + jwt + `","sfdxAuthUrl":"[REDACTED] Use 'sf org auth show-sfdx-auth-url' to view"}}`, Login{AccessToken: jwt}},
	{"bare token", opaque, Login{AccessToken: opaque, OrgID: "00D410000000001"}},
	{"bare token in a line", " " + opaque + "\r\n", Login{AccessToken: opaque, OrgID: "00D410000000001"}},
	{"bare JWT", jwt + "\n", Login{AccessToken: jwt}},
}

func TestALoginIsReadFromWhateverUsersHaveInHand(t *testing.T) {
	for _, c := range logins {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseLogin([]byte(c.input))
			must(t, err)
			got.fields = nil
			equal(t, "login", got, c.want)
		})
	}
}

func TestTheAnswerOfTheFakeOrgIsALogin(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l := o.Login(user)
	for _, input := range []string{string(l.Answer()), l.AuthURL(), l.AccessToken} {
		login, err := ParseLogin([]byte(input))
		must(t, err)
		if login.RefreshToken.Reveal() != l.RefreshToken && login.AccessToken.Reveal() != l.AccessToken {
			t.Errorf("%q gives %v", input, login)
		}
	}
}

// answerWithField is a good answer, but for one field.
func answerWithField(name, raw string) string {
	fields := map[string]json.RawMessage{"access_token": encode(opaque), "refresh_token": encode("5Aep1"), "client_id": encode("c"), "instance_url": encode(acme)}
	fields[name] = json.RawMessage(raw)
	return string(encode(fields))
}

var noLogins = []struct {
	name, input string
	want        error  // ErrLogin if nil
	says        string // a part of the text
}{
	{"nothing", "", nil, "empty"},
	{"blanks", " \r\n\t\n", nil, "empty"},
	{"a BOM", "\ufeff", nil, "empty"},
	{"too much", `{"access_token":"CANARY` + strings.Repeat("x", MaxLogin) + `"}`, nil, "1 MiB"},
	{"UTF-16 LE", "\xff\xfe{\x00\"\x00C\x00A\x00N\x00A\x00R\x00Y\x00", nil, "UTF-16"},
	{"UTF-16 BE", "\xfe\xff\x00{\x00C\x00A\x00N\x00A\x00R\x00Y", nil, "UTF-16"},
	{"UTF-16 without a mark", "{\x00\"\x00", nil, "control character"},
	{"Latin-1", "{\"access_token\":\"CANARY\xe4\"}", nil, "not text"},
	{"an escape code", "\x1b[31m" + opaque, nil, "control character"},
	{"an escape code in JSON", "{\"access_token\":\"00DCANARY\x1b\"}", nil, "control character"},
	{"DEL", opaque + "\x7f", nil, "control character"},
	{"NUL", auth + "\x00", nil, "control character"},
	{"prose", "CANARY is my password", nil, "neither JSON"},
	{"a URL", "https://CANARY.my.salesforce.com", nil, "neither JSON"},
	{"a header", "Authorization: Bearer " + opaque + "CANARY", nil, "neither JSON"},
	{"two tokens", opaque + "\n" + opaque + "CANARY", nil, "neither JSON"},
	{"a short token", "00DCANARY", nil, "neither JSON"},
	{"two auth URLs", auth + "\n" + auth + "CANARY", nil, "force://"},
	{"auth URL with garbage", auth + " CANARY", nil, "force://"},
	{"auth URL without a token", "force://CANARY::@acme.my.salesforce.com", nil, "force://"},
	{"auth URL without a host", "force://CANARY::5AepCANARY@", nil, "force://"},
	{"auth URL with a path", auth + "/CANARY", nil, "force://"},
	{"auth URL with one colon too few", "force://CANARY:5AepCANARY@acme.my.salesforce.com", nil, "force://"},
	{"auth URL with a bad port", "force://CANARY::5AepCANARY@acme:port", nil, "the address of an org"},
	{"auth URL at Lightning", "force://CANARY::5AepCANARY@CANARY.lightning.force.com", nil, "a page"},
	{"hidden auth URL", "[REDACTED] Use 'sf org auth show-sfdx-auth-url' to view CANARY", ErrRedacted, "[REDACTED]"},
	{"half hidden auth URL", "force://PlatformCLI::[REDACTED]CANARY@acme.my.salesforce.com", ErrRedacted, ""},
	{"hidden auth URL in JSON", `{"sfdxAuthUrl":"[REDACTED] CANARY"}`, ErrRedacted, ""},
	{"half hidden auth URL in JSON", `{"result":{"sfdxAuthUrl":"force://PlatformCLI::[REDACTED] CANARY"}}`, ErrRedacted, ""},
	{"all hidden", `{"status":0,"result":{"id":"00DCANARY","accessToken":"[REDACTED] Use it CANARY","sfdxAuthUrl":"[REDACTED] CANARY"},"warnings":["CANARY"]}`, ErrRedacted, ""},
	{"hidden and empty", `{"result":{"accessToken":"[REDACTED] CANARY","sfdxAuthUrl":""}}`, ErrRedacted, ""},
	{"hidden token in an answer", answerWithField("access_token", `"[REDACTED] CANARY"`), ErrRedacted, ""},
	{"hidden refresh token", answerWithField("refresh_token", `"[REDACTED] CANARY"`), ErrRedacted, ""},
	{"hidden client id", answerWithField("client_id", `"[REDACTED] CANARY"`), ErrRedacted, ""},
	{"hidden client secret", answerWithField("client_secret", `"[REDACTED] CANARY"`), ErrRedacted, ""},
	{"hidden instance", answerWithField("instance_url", `"[REDACTED] CANARY"`), ErrRedacted, ""},
	{"hidden identity", answerWithField("id", `"[REDACTED] CANARY"`), ErrRedacted, ""},
	{"an error of sf", `{"status":1,"name":"CANARY","message":"No authorization CANARY","exitCode":1,"warnings":[],"stack":"CANARY"}`, nil, "Salesforce CLI"},
	{"an error of Salesforce", `{"error":"invalid_grant","error_description":"CANARY"}`, nil, "refusal of Salesforce"},
	{"an error of an API", `[{"message":"CANARY","errorCode":"INVALID_SESSION_ID"}]`, nil, "array"},
	{"an array of answers", "[" + answerWithField("x", `"CANARY"`) + "]", nil, "array"},
	{"a list of sf", `{"status":0,"result":[{"username":"CANARY"}]}`, nil, "not one org"},
	{"a null result", `{"status":0,"result":null,"x":"CANARY"}`, nil, "not one org"},
	{"an empty result", `{"status":0,"result":{}}`, nil, "neither an sfdxAuthUrl"},
	{"an empty object", `{}`, nil, "there is no access_token"},
	{"an object of something else", `{"CANARY":"CANARY"}`, nil, "there is no access_token"},
	{"broken JSON", `{"access_token":"CANARY"`, nil, "does not go on as JSON"},
	{"JSON and more", answerWithField("x", `"CANARY"`) + "CANARY", nil, "does not go on as JSON"},
	{"two JSON objects", answerWithField("x", `"CANARY"`) + "\n" + answerWithField("x", `"CANARY"`), nil, "does not go on as JSON"},
	{"a number for a token", answerWithField("access_token", "123"), nil, "its access_token is not a string"},
	{"an object for a refresh token", answerWithField("refresh_token", `{"CANARY":1}`), nil, "its refresh_token is not a string"},
	{"a list for a client id", answerWithField("client_id", `["CANARY"]`), nil, "its client_id is not a string"},
	{"true for a secret", answerWithField("client_secret", "true"), nil, "its client_secret is not a string"},
	{"a number for an instance", answerWithField("instance_url", "1e3"), nil, "its instance_url is not a string"},
	{"a number for an identity", answerWithField("id", "5"), nil, "its id is not a string"},
	{"a number for a username", answerWithField("username", "5"), nil, "its username is not a string"},
	{"numbers from sf", `{"result":{"accessToken":123,"sfdxAuthUrl":456}}`, nil, "accessToken"},
	{"an object from sf", `{"result":{"accessToken":{"CANARY":1}}}`, nil, "neither an sfdxAuthUrl"},
	{"a token of sf that is none", `{"result":{"accessToken":"CANARY"}}`, nil, "accessToken"},
	{"no token at all", `{"access_token":null,"refresh_token":""}`, nil, "neither an access token"},
	{"no client", `{"refresh_token":"5AepCANARY"}`, ErrNoClient, "client id"},
	{"no instance", opaque + "CANARY", ErrNoInstance, "at which org"},
	{"instance over http", answerWithField("instance_url", `"http://CANARY.my.salesforce.com"`), nil, "https://"},
	{"instance of a page", answerWithField("instance_url", `"https://CANARY.lightning.force.com"`), nil, "a page"},
	{"instance of another scheme", answerWithField("instance_url", `"CANARY://acme.my.salesforce.com"`), nil, "https://"},
	{"malformed instance", answerWithField("instance_url", `"https://CANARY@acme.my.salesforce.com"`), nil, "the address of an org"},
	{"instance of sf over http", `{"result":{"accessToken":"` + opaque + `","instanceUrl":"http://CANARY"}}`, nil, "https://"},
	{"instance of sf at Lightning", `{"result":{"accessToken":"` + opaque + `","instanceUrl":"https://CANARY.lightning.force.com/lightning/page/home"}}`, nil, "a page"},
	{"instance of sf that is hidden", `{"result":{"accessToken":"` + opaque + `","instanceUrl":"[REDACTED] CANARY"}}`, nil, "the address of an org"},
	{"username of sf with an escape code", `{"result":{"sfdxAuthUrl":"` + auth + `","username":"CANARY\u001b[31m"}}`, nil, "control character"},
	{"ours that is not ours", answerWithField(ownKey, `"CANARY"`), nil, "not ours"},
	{"ours with another type", answerWithField(ownKey, `{"client_id":{"CANARY":1}}`), nil, "not ours"},
}

// take is what store does with its stdin.
func take(input string) (record, error) {
	login, err := ParseLogin([]byte(input))
	if err != nil {
		return record{}, err
	}
	return login.record()
}

func TestWhatIsNoLoginIsRefusedAndNotRepeated(t *testing.T) {
	for _, c := range noLogins {
		t.Run(c.name, func(t *testing.T) {
			_, err := take(c.input)
			wantNoLogin(t, err, c.want, c.says)
		})
	}
}

func TestAControlCharacterInAUsedFieldIsRefused(t *testing.T) {
	for _, name := range []string{"access_token", "refresh_token", "client_id", "client_secret", "instance_url", "id", "username", "token_type", "issued_at", "sfdc_community_url"} {
		for _, escape := range []string{`\u001b[31m`, `\u0000`, `\n`, `\r\nX-Evil: 1`, `\u007f`, `\u009b31m`, `\u2028`, `\u202e`} {
			_, err := take(answerWithField(name, `"https://CANARY`+escape+`"`))
			t.Run(name+" "+escape, func(t *testing.T) { wantNoLogin(t, err, nil, "") })
		}
	}
}

func wantNoLogin(t *testing.T, err, want error, says string) {
	t.Helper()
	if !errors.Is(err, ErrLogin) || want != nil && !errors.Is(err, want) {
		t.Fatalf("got %v", err)
	}
	if text := err.Error(); strings.Contains(strings.ToUpper(text), "CANARY") || !strings.Contains(text, says) || strings.ContainsFunc(text, isControl) {
		t.Errorf("it says %q, and has to say %q", text, says)
	}
	if special := errors.Is(err, ErrRedacted) || errors.Is(err, ErrNoClient) || errors.Is(err, ErrNoInstance); special != (want != nil) {
		t.Errorf("it is special: %v", err)
	}
}

func TestUnknownFieldsAreKeptByteForByte(t *testing.T) {
	odd := map[string]string{
		"big":    "12345678901234567890123456789012345678901234567890.00100e+05",
		"html":   `"<a href='x'>&amp;</a> \u003c \u0000"`,
		"nested": `{"b":[1,2,{"a":null}],"a":{"x":"<>&"},"b":2}`,
		"none":   "null",
		"<&>":    `"` + "\u2028" + `é😀"`,
		"":       "[]",
	}
	for name, raw := range odd {
		rec, err := take(answerWithField(name, raw))
		must(t, err)
		again, err := parseRecord(rec.encode())
		must(t, err)
		merged := again.merge(map[string]json.RawMessage{"access_token": encode("new")}, testNow)
		equal(t, "field "+name, string(merged.fields[name]), raw)
		again, err = parseRecord(merged.encode())
		must(t, err)
		equal(t, "field "+name, string(again.fields[name]), raw)
	}
}

func TestAKeptRecordIsItselfALogin(t *testing.T) {
	rec, err := take(answerWithField("sfdc_build", "9007199254740993"))
	must(t, err)
	rec.own.ClientSecret, rec.own.LoginURL = "hush", "https://acme.my.site.com/portal"
	rec.own.Rejected, rec.own.Began = true, testNow
	again, err := take(string(rec.encode()))
	must(t, err)
	equal(t, "fields", again.fields, rec.fields)
	equal(t, "what is ours", again.own, own{ClientID: "c", ClientSecret: "hush", LoginURL: "https://acme.my.site.com/portal"})
}
