package keystore

import (
	"testing"

	"sf-credential-helper/keystore/keychaintest"
)

// The battery of every store, over the real keychain and over one with small items.
func TestKeychain(t *testing.T) {
	for _, c := range []struct {
		where string
		limit int
	}{{"unlimited", 0}, {"as on Windows", 2560}} {
		t.Run(c.where, func(t *testing.T) {
			needSession(t)
			if !alone(t) {
				return
			}
			s := realKeychain(t)
			testStore(t, func() Store { return &Keychain{Limit: c.limit} })
			expectItems(t, s)
		})
	}
}

// So many items would take gnome-keyring long, for it writes all of them each time.
func TestKeychainOfTinyItems(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	testStore(t, func() Store { return &Keychain{Limit: 300} })
	if f.Len() != 0 {
		t.Errorf("%d items are left", f.Len())
	}
}
