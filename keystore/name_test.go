package keystore

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

var goodNames = []string{
	"a", "Z", "0", "_", "@", "/", ":", "+", "default", "my-org", "a.b", "a-", "a.", "me@example.com", "x/y:z+w-v_u.t",
	"https://mydomain.my.salesforce.com", strings.Repeat("a", maxName), strings.Repeat("Z", maxName),
}

var badNames = []string{
	"", ".", "..", ".a", "-", "-a", "--", "a b", " a", "a ", "a\tb", "a\nb", "a\x00b", "a~b", "~index", "a^b", "a\\b", "a*", "a?", "a=b",
	"a%41", "a'", `a"`, "a$b", "a;b", "a,b", "a|b", "é", "aé", "ａ", "a\xff", "a\u202eb", strings.Repeat("a", maxName+1),
}

func TestCheckName(t *testing.T) {
	for _, name := range goodNames {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range badNames {
		err := CheckName(name)
		if !errors.Is(err, ErrInvalid) || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\x00\u202e") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestCheckSecret(t *testing.T) {
	for text, want := range map[string]error{
		"x": nil, " \n": nil, "é\U0010fffd": nil, strings.Repeat("x", MaxSecret): nil,
		"": ErrInvalid, "x\x00": ErrInvalid, "x\xff": ErrInvalid, strings.Repeat("x", MaxSecret+1): ErrInvalid,
	} {
		if err := checkSecret([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%s: %v", brief(text), err)
		}
	}
}

func TestServiceHasNoColon(t *testing.T) {
	if strings.Contains(Service, ":") {
		t.Errorf("%q: Windows joins service and account with one", Service)
	}
}

// Windows folds the case of what a credential is called.
func TestAccountsAreApartWhereCaseIsFolded(t *testing.T) {
	seen := map[string]string{strings.ToLower(indexAccount): "the index"}
	for _, name := range append(caseVariants("abcdef.12"), goodNames...) {
		a := account(name)
		if other, ok := seen[strings.ToLower(a)]; ok && other != name {
			t.Errorf("%s and %s are both %s", other, name, strings.ToLower(a))
		}
		seen[strings.ToLower(a)] = name
		if !strings.HasPrefix(a, name) {
			t.Errorf("%s cannot be read from %s", name, a)
		}
		if strings.ToLower(name) == name && a != name {
			t.Errorf("%s need not be %s", name, a)
		}
	}
}

func caseVariants(name string) []string {
	all := []string{""}
	for _, c := range name {
		var longer []string
		for _, s := range all {
			longer = append(longer, s+string(c))
			if upper := strings.ToUpper(string(c)); upper != string(c) {
				longer = append(longer, s+upper)
			}
		}
		all = longer
	}
	return all
}

// The longest account is that of a part: of the longest name in the most parts there can be.
func longestAccount() string {
	return part(account(strings.Repeat("Z", maxName)), "b", MaxSecret-1)
}

func TestAccountsFitTheWindowsCredentialManager(t *testing.T) {
	if n := len(Service + ":" + longestAccount()); n >= 250 {
		t.Errorf("the longest target has %d bytes", n)
	}
}

func FuzzCheckName(f *testing.F) {
	for _, name := range append(goodNames, badNames...) {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if err := CheckName(name); err != nil {
			if !errors.Is(err, ErrInvalid) || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Errorf("%q: %q", name, err)
			}
			return
		}
		for _, other := range []string{strings.ToUpper(name), strings.ToLower(name), swapFirst(name)} {
			if same := strings.EqualFold(account(name), account(other)); same != (name == other) {
				t.Errorf("%s and %s are %s and %s", name, other, account(name), account(other))
			}
		}
		if got := parseIndex(index{name: true}.String()); len(got) != 1 || !got[name] {
			t.Errorf("%s is %v in the index", name, got)
		}
	})
}

// swapFirst changes the case of the first letter.
func swapFirst(name string) string {
	i := strings.IndexFunc(name, isLetter)
	if i < 0 {
		return name
	}
	return name[:i] + string(name[i]^0x20) + name[i+1:]
}
