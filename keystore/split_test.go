package keystore

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHead(t *testing.T) {
	for _, h := range []head{{"a", 1, checksum("x")}, {"b", MaxSecret, checksum("")}} {
		if got, err := parseHead(h.String()); err != nil || got != h {
			t.Errorf("%v comes back as %v, %v", h, got, err)
		}
		if !isHead(h.String()) || isPlain(h.String(), 0) {
			t.Errorf("%v is taken for a secret", h)
		}
	}
	sum := checksum("x")
	for _, rest := range []string{
		"", "a", "a 1", "c 1 " + sum, " 1 " + sum, "a 0 " + sum, "a -1 " + sum, "a 01 " + sum, "a 1  " + sum, "a x " + sum,
		"a 65537 " + sum, "a 99999999999999999999 " + sum, "a 1 " + sum + " ", "a 1 " + sum + "\n", "a 1 " + sum + " more", "A 1 " + sum,
	} {
		if h, err := parseHead(headMark + rest); !errors.Is(err, ErrDamaged) || h != (head{}) {
			t.Errorf("%q: %v, %v", rest, h, err)
		}
	}
	if _, err := parseHead("x" + head{"a", 1, sum}.String()); err == nil {
		t.Error("a head with something before it")
	}
}

func TestSlotsTakeTurns(t *testing.T) {
	for slot, want := range map[string]string{"": "b", "a": "b", "b": "a", "c": ""} {
		if got := (head{slot: slot}).other(); got != want {
			t.Errorf("after %q comes %q, want %q", slot, got, want)
		}
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]bool{
		"x": true, numbered(100): true, numbered(101): false, "": true,
		headMark: false, head{"a", 1, "x"}.String(): false, " " + headMark: true,
		"go-keyring-base64:eA==": false, "x go-keyring-encoded:": false, "go-keyring": true,
	} {
		if got := isPlain(text, 100); got != want {
			t.Errorf("%s is plain: %t", brief(text), got)
		}
	}
	if !isPlain(numbered(MaxSecret), 0) {
		t.Error("without a limit there is one")
	}
}

func TestCut(t *testing.T) {
	for shift := range 4 {
		text := strings.Repeat("x", shift) + strings.Repeat(planes(), 3)
		for limit := range 101 {
			checkParts(t, text, limit)
		}
	}
}

// checkParts demands that a text falls into parts of whole characters, within the limit unless a
// character is larger.
func checkParts(t *testing.T, text string, limit int) {
	t.Helper()
	whole := text
	for text != "" {
		n := cut(text, limit)
		if n <= 0 || n > len(text) {
			t.Fatalf("limit %d: %d of %d bytes cut off %q", limit, n, len(text), whole)
		}
		if p := text[:n]; utf8.ValidString(whole) && !utf8.ValidString(p) || limit > 0 && n > limit && utf8.RuneCountInString(p) > 1 {
			t.Fatalf("limit %d: a part is %q", limit, p)
		}
		text = text[n:]
	}
}

func TestItemLimits(t *testing.T) {
	for goos, want := range map[string]int{"linux": 0, "freebsd": 0, "windows": 2560} {
		if got := itemLimit(goos); got != want {
			t.Errorf("%s holds %d, want %d", goos, got, want)
		}
	}
	if got := (&Keychain{Limit: 7}).limit(); got != 7 {
		t.Errorf("a limit of 7 is %d", got)
	}
}

// go-keyring refuses a line of more than 4,096 bytes, and one of exactly as many loses the secret
// without an error.
func TestItemsFitTheLineOfMacOS(t *testing.T) {
	limit := itemLimit("darwin")
	if limit < 2000 {
		t.Fatalf("the limit is %d", limit)
	}
	line := fmt.Sprintf("add-generic-password -U -s %s -a '%s' -w 'go-keyring-base64:%s'\n",
		Service, longestAccount(), strings.Repeat("x", (limit+2)/3*4))
	if len(line) >= 4096 {
		t.Errorf("the longest line has %d bytes", len(line))
	}
}

func FuzzCut(f *testing.F) {
	f.Add("", 0)
	f.Add(planes(), 1)
	f.Add(strings.Repeat(planes(), 5), 100)
	f.Add("x\xff\xe2\x82", 2)
	f.Fuzz(func(t *testing.T, text string, limit int) { checkParts(t, text, limit) })
}

func FuzzParseHead(f *testing.F) {
	f.Add("a 1 " + checksum("x"))
	f.Add("b 65536 " + checksum("x"))
	f.Add("c 1 x")
	f.Add("a 1e1 x")
	f.Add("a +1 x")
	f.Add("a 0x1 %s")
	f.Fuzz(func(t *testing.T, rest string) {
		text := headMark + rest
		h, err := parseHead(text)
		if err != nil {
			if err != ErrDamaged || h != (head{}) {
				t.Errorf("%q: %v, %v", text, h, err)
			}
			return
		}
		if h.String() != text || h.parts < 1 || h.parts > MaxSecret || h.slot != "a" && h.slot != "b" {
			t.Errorf("%q is %+v", text, h)
		}
	})
}

func FuzzParseIndex(f *testing.F) {
	f.Add(index{}.String())
	f.Add(index{"a": true, "B": false, "names:": true}.String())
	f.Add("a\n\nb *\nb\n * \n~index\n\x00\na b\nlast")
	f.Add(headMark)
	f.Fuzz(func(t *testing.T, text string) {
		ix := parseIndex(text)
		for name := range ix {
			if err := CheckName(name); err != nil {
				t.Errorf("%q lists a name that is none: %v", text, err)
			}
		}
		if again := parseIndex(ix.String()); !maps.Equal(again, ix) {
			t.Errorf("%v comes back as %v", ix, again)
		}
		if ix.String() == "" || isHead(ix.String()) || errors.Is(checkAnswer(ix.String()), ErrDamaged) {
			t.Errorf("%q cannot be kept", ix.String())
		}
	})
}
