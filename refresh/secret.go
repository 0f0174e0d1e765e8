package refresh

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that does not show itself: under every verb of fmt, in slog and in JSON it is
// "[secret]", or nothing if it is empty. Reveal returns what it hides.
type Secret string

const hidden = "[secret]"

// Reveal returns the secret, for the places where it has to go.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format makes every verb print what String returns.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText keeps a Secret out of JSON and everything else that encodes text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue keeps a Secret out of slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
