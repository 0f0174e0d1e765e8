package refresh

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// MaxLogin is the size of the largest login that ParseLogin reads, in bytes.
const MaxLogin = 1 << 20

var (
	// ErrLogin means that the input is no login, or one that cannot be used as it is. The text says
	// why, and shows nothing of the input.
	ErrLogin = errors.New("this is no login")
	// ErrNoClient is an ErrLogin for want of a client id.
	ErrNoClient = fmt.Errorf("%w that can be kept", ErrLogin)
	// ErrNoInstance is an ErrLogin for want of an address.
	ErrNoInstance = fmt.Errorf("%w that can be kept yet", ErrLogin)
	// ErrRedacted is an ErrLogin whose secrets Salesforce's CLI has taken out.
	ErrRedacted = fmt.Errorf("%w: the Salesforce CLI has hidden its secrets behind [REDACTED]", ErrLogin)
)

func noLogin(why string) error { return fmt.Errorf("%w: %s", ErrLogin, why) }

// ParseLogin reads a login in whichever form users have it in hand: Salesforce's token answer as
// JSON; what `sf org auth show-sfdx-auth-url --json`, `sf org auth show-access-token --json` and `sf
// org display --json` print; {"sfdxAuthUrl":…}; a bare force:// URL; a bare access token. What the
// input does not tell is empty in the Login. All errors wrap ErrLogin.
func ParseLogin(input []byte) (Login, error) {
	if err := checkInput(input); err != nil {
		return Login{}, err
	}
	text := strings.TrimSpace(strings.TrimPrefix(string(input), "\ufeff"))
	switch {
	case text == "":
		return Login{}, noLogin("it is empty")
	case strings.Contains(text, redacted) && text[0] != '{':
		return Login{}, ErrRedacted
	case text[0] == '{':
		return parseJSON(text)
	case strings.HasPrefix(text, "force://"):
		return parseAuthURL(text)
	case bareToken().MatchString(text):
		return Login{AccessToken: Secret(text), OrgID: orgOfToken(text)}, nil
	case text[0] == '[':
		return Login{}, noLogin("it is a JSON array, and a login is an object")
	}
	return Login{}, noLogin("it is neither JSON, nor a force:// URL, nor an access token (00D…!…)")
}

const redacted = "[REDACTED]"

// An opaque access token begins with the id of its org; a JWT with the base64 of {".
var bareToken = lazy(`^(00D[!-~]{12,}|eyJ[!-~]+\.[!-~]+\.[!-~]+)$`)

// lazy compiles a pattern when it is first used: get uses none, and has no millisecond for them.
func lazy(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

func checkInput(input []byte) error {
	switch {
	case len(input) > MaxLogin:
		return noLogin("it is larger than 1 MiB")
	case bytes.HasPrefix(input, []byte{0xff, 0xfe}), bytes.HasPrefix(input, []byte{0xfe, 0xff}):
		return noLogin("it is UTF-16, as PowerShell writes files: save it as UTF-8")
	case !utf8.Valid(input):
		return noLogin("it is not text")
	case bytes.ContainsFunc(input, isControl):
		return noLogin("there is a control character in it")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\r\n", r) || r == 0x7f }

// A force:// URL, by the pattern of Salesforce's own CLI: client id, secret (mostly none), refresh
// token, host.
var authURL = lazy(`^force://([a-zA-Z0-9._-]+={0,2}):([a-zA-Z0-9._-]*={0,2}):([a-zA-Z0-9._-]+={0,2})@([a-zA-Z0-9:._-]+)$`)

func parseAuthURL(text string) (Login, error) {
	if strings.Contains(text, redacted) {
		return Login{}, ErrRedacted
	}
	m := authURL().FindStringSubmatch(text)
	if m == nil {
		return Login{}, noLogin("it begins like a force:// URL and does not go on as one (force://CLIENT:SECRET:REFRESH_TOKEN@HOST)")
	}
	instance, err := CheckURL("https://" + m[4])
	if err != nil {
		return Login{}, noLogin(err.Error())
	}
	return Login{ClientID: m[1], ClientSecret: Secret(m[2]), RefreshToken: Secret(m[3]), InstanceURL: instance}, nil
}

type object = map[string]json.RawMessage

func parseJSON(text string) (Login, error) {
	var o object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return Login{}, noLogin("it begins like JSON and does not go on as JSON")
	}
	if raw, ok := o["result"]; ok {
		var result object
		if json.Unmarshal(raw, &result) != nil || result == nil {
			return Login{}, noLogin("its result is not one org")
		}
		return parseCLI(result)
	}
	switch {
	case has(o, "access_token"), has(o, "refresh_token"):
		return parseAnswer(o)
	case has(o, "sfdxAuthUrl"), has(o, "accessToken"):
		return parseCLI(o)
	case has(o, "error"):
		return Login{}, noLogin("it is a refusal of Salesforce")
	case has(o, "message"):
		return Login{}, noLogin("it is an error message of the Salesforce CLI: run its command without --json to read it")
	}
	return Login{}, noLogin("it is JSON, and there is no access_token, refresh_token, sfdxAuthUrl or accessToken in it")
}

func has(o object, field string) bool { _, ok := o[field]; return ok }

// parseAnswer reads Salesforce's own names, all of which are kept, and ours if it is a record.
func parseAnswer(o object) (Login, error) {
	rec, err := parseRecord(encode(o))
	if err != nil {
		return Login{}, noLogin(fmt.Sprintf("what stands under %q in it is not ours", ownKey))
	}
	for _, name := range []string{"access_token", "refresh_token", "client_id", "client_secret", "instance_url", "id", "username"} {
		raw, ok := rec.fields[name]
		switch text := fieldText(raw); {
		case !ok || string(raw) == "null":
			delete(rec.fields, name)
		case raw[0] != '"':
			return Login{}, noLogin(fmt.Sprintf("its %s is not a string", name))
		case strings.HasPrefix(text, redacted):
			return Login{}, ErrRedacted
		case text == "":
			delete(rec.fields, name)
		}
	}
	login := rec.login()
	for name, to := range map[string]*string{"client_id": &login.ClientID, "client_secret": (*string)(&login.ClientSecret)} {
		if text := rec.text(name); text != "" {
			*to = text
		}
		delete(rec.fields, name)
	}
	return login, rec.check()
}

// parseCLI reads the names of the Salesforce CLI, whose id is the org's.
func parseCLI(o object) (Login, error) {
	text := func(field string) string { return strings.TrimSpace(fieldText(o[field])) }
	login, err := cliSecrets(text("sfdxAuthUrl"), text("accessToken"))
	if err != nil {
		return Login{}, err
	}
	if address := text("instanceUrl"); address != "" {
		if login.InstanceURL, err = CheckURL(address); err != nil {
			return Login{}, noLogin(err.Error())
		}
	}
	if login.Username = text("username"); strings.ContainsFunc(login.Username, isControl) {
		return Login{}, noLogin("its username has a control character in it")
	}
	login.OrgID = orgOfToken(login.AccessToken.Reveal())
	if id := text("id"); strings.HasPrefix(id, "00D") {
		login.OrgID = id
	}
	return login, nil
}

// cliSecrets takes the one that is no [REDACTED]…, or both.
func cliSecrets(auth, token string) (login Login, err error) {
	auth, hidAuth := unhidden(auth)
	token, hidToken := unhidden(token)
	switch {
	case auth == "" && token == "" && (hidAuth || hidToken):
		return Login{}, ErrRedacted
	case auth == "" && token == "":
		return Login{}, noLogin("the output of the Salesforce CLI has neither an sfdxAuthUrl nor an accessToken in it")
	case token != "" && !bareToken().MatchString(token):
		return Login{}, noLogin("its accessToken does not look like one (00D…!…)")
	}
	if auth != "" {
		login, err = parseAuthURL(auth)
	}
	login.AccessToken = Secret(token)
	return login, err
}

func unhidden(text string) (rest string, hid bool) {
	if strings.HasPrefix(text, redacted) {
		return "", true
	}
	return text, false
}
