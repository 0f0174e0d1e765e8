package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sf-credential-helper/refresh"
)

// formats are what -f takes.
var formats = map[string]func(org string, t refresh.Token) []byte{
	"token": func(_ string, t refresh.Token) []byte {
		return []byte(t.AccessToken.Reveal() + "\n")
	},
	"json": asJSON,
	"header": func(_ string, t refresh.Token) []byte {
		return []byte("Authorization: Bearer " + t.AccessToken.Reveal() + "\n")
	},
	"curl": func(_ string, t refresh.Token) []byte {
		return fmt.Appendf(nil, "header = %q\n", "Authorization: Bearer "+t.AccessToken.Reveal())
	},
	"env": func(_ string, t refresh.Token) []byte {
		return []byte("export SF_ACCESS_TOKEN=" + quote(t.AccessToken.Reveal()) +
			"\nexport SF_ORG_INSTANCE_URL=" + quote(t.InstanceURL) + "\n")
	},
}

// asJSON uses Salesforce's names, and its form: issued_at is a string of milliseconds.
func asJSON(org string, t refresh.Token) []byte {
	out := struct {
		Org         string `json:"org"`
		AccessToken string `json:"access_token"`
		InstanceURL string `json:"instance_url,omitempty"`
		Type        string `json:"token_type,omitempty"`
		ID          string `json:"id,omitempty"`
		IssuedAt    string `json:"issued_at,omitempty"`
		Scope       string `json:"scope,omitempty"`
		ExpiresAt   string `json:"expires_at,omitempty"`
	}{Org: org, AccessToken: t.AccessToken.Reveal(), InstanceURL: t.InstanceURL, Type: t.Type, ID: t.ID, Scope: t.Scope}
	if !t.IssuedAt.IsZero() {
		out.IssuedAt = strconv.FormatInt(t.IssuedAt.UnixMilli(), 10)
	}
	if !t.Expires.IsZero() {
		out.ExpiresAt = t.Expires.UTC().Format(time.RFC3339)
	}
	return toJSON(out)
}

func toJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		panic(err) // plain structs of strings
	}
	return b.Bytes()
}

// quote makes a word of a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
