package refresh

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const canary = Secret("CANARY")

// showings are a secret and whatever it may stand in.
func showings(t *testing.T) map[string]any {
	login, err := ParseLogin([]byte(`{"access_token":"00DCANARY!1","refresh_token":"5AepCANARY","signature":"CANARY","client_id":"c","client_secret":"CANARY"}`))
	must(t, err)
	return map[string]any{
		"bare":          canary,
		"pointer":       new(canary),
		"struct":        struct{ S Secret }{canary},
		"to struct":     &struct{ S Secret }{canary},
		"in pointer":    struct{ S *Secret }{new(canary)},
		"nested":        struct{ In struct{ S Secret } }{struct{ S Secret }{canary}},
		"slice":         []Secret{canary},
		"map":           map[string]Secret{"k": canary},
		"any":           []any{canary},
		"login":         login,
		"to login":      &login,
		"in login":      []Login{login},
		"token":         Token{AccessToken: canary},
		"error around":  fmt.Errorf("about %s and %v", canary, login),
		"hidden struct": struct{ token Token }{Token{Type: "Bearer"}},
	}
}

func TestASecretPrintsAsSecretUnderEveryVerb(t *testing.T) {
	for name, v := range showings(t) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "% x", "%10s", "%T"} {
			wantHidden(t, name+" "+verb, fmt.Sprintf(verb, v))
		}
		wantHidden(t, name, fmt.Sprint(v))
		wantHidden(t, name, fmt.Sprintln("x", v))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		equal(t, verb, fmt.Sprintf(verb, canary), hidden)
		equal(t, verb+" of nothing", fmt.Sprintf(verb, Secret("")), "")
	}
	equal(t, "Reveal", canary.Reveal(), "CANARY")
}

func TestASecretIsKeptOutOfLogs(t *testing.T) {
	var b bytes.Buffer
	handlers := map[string]slog.Handler{"text": slog.NewTextHandler(&b, nil), "json": slog.NewJSONHandler(&b, nil)}
	for kind, h := range handlers {
		for name, v := range showings(t) {
			b.Reset()
			slog.New(h).With("with", v).WithGroup("g").Info("said", "v", v, slog.Group("h", "v", v))
			wantHidden(t, kind+" "+name, b.String())
		}
		b.Reset()
		slog.New(h).Info("said", "v", canary, "none", Secret(""))
		if !strings.Contains(b.String(), hidden) || strings.Count(b.String(), "[") != 1 {
			t.Errorf("%s: %s", kind, &b)
		}
	}
}

func TestASecretIsKeptOutOfJSON(t *testing.T) {
	for name, v := range showings(t) {
		text, err := json.Marshal(v)
		must(t, err)
		wantHidden(t, name, string(text))
	}
	text, err := json.Marshal([]Secret{canary, ""})
	must(t, err)
	equal(t, "JSON", string(text), `["[secret]",""]`)
}

// wantHidden looks for the canary in text, in hex and in the decimal of byte slices.
func wantHidden(t *testing.T, what, text string) {
	t.Helper()
	for _, form := range []string{"%s", "%x", "%X", "% x", "%d"} {
		shown := strings.Trim(fmt.Sprintf(form, []byte("CANARY")), "[]")
		if strings.Contains(text, shown) {
			t.Errorf("%s shows it: %s", what, text)
		}
	}
}
