package keystore

import (
	"slices"
	"strings"
	"testing"

	"sf-credential-helper/keystore/keychaintest"
)

// expectItems demands that these accounts are all there is in the keychain.
func expectItems(t *testing.T, s *keychaintest.Session, want ...string) {
	t.Helper()
	got := accounts(t, s)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("the keychain has the items\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func accounts(t *testing.T, s *keychaintest.Session) []string {
	t.Helper()
	items, err := s.Items()
	must(t, err)
	var all []string
	for _, it := range items {
		if it["service"] != Service {
			t.Errorf("an item of %q", it["service"])
		}
		all = append(all, it["username"])
	}
	slices.Sort(all)
	return all
}
