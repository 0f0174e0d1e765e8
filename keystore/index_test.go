package keystore

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"sf-credential-helper/keystore/keychaintest"
)

// Somebody removed a secret with another program, or its writer died before it was there.
func TestNameWithoutItemIsUnlisted(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s := realKeychain(t)
	for _, limit := range []int{0, 100} {
		for _, deed := range []string{"get", "set", "delete"} {
			k := &Keychain{Limit: limit}
			mustKeep(t, k, "org", "x")
			mustKeep(t, k, "other", "x")
			must(t, s.Remove(Service, "org"))
			if err := do(patient(t), &Keychain{Limit: limit}, deed, "org", "y"); err != nil && !errors.Is(err, ErrNotFound) {
				t.Fatal(err)
			}
			if deed == "set" {
				expectList(t, k, "org", "other")
				continue
			}
			expectList(t, k, "other")
			expectItems(t, s, append(indexItems(t, &Keychain{Limit: limit}), "other")...)
		}
		mustForget(t, &Keychain{}, "other")
	}
}

// The parts of what was removed by its head alone go when that is noticed.
func TestPartsWithoutHeadAreSwept(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s, k := realKeychain(t), &Keychain{Limit: 100}
	for _, deed := range []string{"get", "delete", "set"} {
		mustKeep(t, k, "org", numbered(300))
		must(t, s.Remove(Service, "org"))
		if err := do(patient(t), k, deed, "org", "y"); err != nil && !errors.Is(err, ErrNotFound) {
			t.Fatal(err)
		}
		if deed != "set" {
			expectList(t, k)
			expectItems(t, s)
		}
	}
	expectItems(t, s, indexAccount, "org")
}

// indexItems are the accounts of the index as it is now.
func indexItems(t *testing.T, k *Keychain) []string {
	t.Helper()
	ix, err := k.readIndex(patient(t))
	must(t, err)
	text, h, err := k.read(patient(t), indexAccount)
	if err != nil || text != ix.String() {
		t.Fatalf("the index is %q, %v", text, err)
	}
	all := []string{indexAccount}
	for i := range h.parts {
		all = append(all, part(indexAccount, h.slot, i))
	}
	return all
}

func TestIndexIsRepaired(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s := realKeychain(t)
	for about, damage := range map[string]func() error{
		"deleted":              func() error { return s.Remove(Service, indexAccount) },
		"overwritten":          func() error { return s.Put(Service, indexAccount, "\n\x07 nothing to\nread here\n") },
		"no text":              func() error { return s.Put(Service, indexAccount, "\xff\x00") },
		"a head without parts": func() error { return s.Put(Service, indexAccount, head{"b", 3, checksum("")}.String()) },
		"a broken head":        func() error { return s.Put(Service, indexAccount, headMark) },
	} {
		for _, limit := range []int{0, 100} {
			k := &Keychain{Limit: limit}
			mustKeep(t, k, "a", "x")
			mustKeep(t, k, "b", numbered(300))
			must(t, damage())
			if _, err := k.List(patient(t)); err != nil {
				t.Errorf("%s: %v", about, err)
			}
			expect(t, k, "a", "x")
			mustKeep(t, k, "c", "x") // a new one
			mustKeep(t, k, "a", "x") // an equal one
			mustKeep(t, &Keychain{Limit: limit}, "b", numbered(300))
			expectList(t, k, "a", "b", "c")
			for _, name := range []string{"a", "b", "c"} {
				mustForget(t, k, name)
			}
			expectItems(t, s)
			if t.Failed() {
				t.Fatal(about, limit)
			}
		}
	}
}

// With small items any Set puts a lost name back, also one that changes the secret.
func TestChangedSecretIsRelistedWhereItemsAreSmall(t *testing.T) {
	if !alone(t) {
		return
	}
	fakeKeychain(t, keychaintest.Options{})
	k := &Keychain{Limit: 100}
	mustKeep(t, k, "org", "x")
	must(t, k.dropItem(patient(t), indexAccount))
	mustKeep(t, k, "org", "y")
	expectList(t, k, "org")
}

// Some names make of the index what is not kept as it is. They leave nothing behind either.
func TestIndexOfAwkwardNames(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	for range 2 {
		mustKeep(t, k, "go-keyring-x", "x")
		mustKeep(t, k, "names", "x")
		mustKeep(t, k, "names:", "x")
		expectList(t, k, "go-keyring-x", "names", "names:")
		mustForget(t, k, "names")
		mustForget(t, k, "go-keyring-x")
		mustForget(t, k, "names:")
	}
	if f.Len() != 0 {
		t.Errorf("%d items are left", f.Len())
	}
}

// A reader that finds nothing under a name that is listed strikes it out. Meanwhile the writer may
// have come.
func TestReaderDoesNotRemoveWhatIsNew(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for n := int64(1); n <= 2; n++ { // the search for the item and that for the index; what follows is under the lock
		must(t, (&Keychain{}).writeIndex(patient(t), index{"org": false}))
		f.SetOptions(meanwhile(t, "SearchItems", n, "org", "0", "new\n"))
		_, err := (&Keychain{}).Get(patient(t), "org")
		f.SetOptions(keychaintest.Options{})
		if err != nil {
			mustFail(t, err, ErrNotFound)
		}
		expect(t, &Keychain{}, "org", "new")
		expectList(t, &Keychain{}, "org")
		mustForget(t, &Keychain{}, "org")
	}
}

func TestListReadsNoSecrets(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	want := []string{"a", "b", "c"}
	for _, name := range want {
		mustKeep(t, k, name, "x")
	}
	before := len(f.Calls())
	expectList(t, &Keychain{}, want...)
	calls := f.Calls()[before:]
	if n := count(calls, "GetSecret"); n != 1 || count(calls, "CreateItem")+count(calls, "Delete") != 0 {
		t.Errorf("to list takes %q", calls)
	}
}

func TestListOfNothing(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	expectList(t, &Keychain{})
	expect(t, &Keychain{}, "org", "")
	mustForget(t, &Keychain{}, "org")
	if f.Len() != 0 {
		t.Errorf("to look makes %d items", f.Len())
	}
}

func TestThousandNames(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{Limit: 2560}
	ix := index{}
	for i := range 1000 {
		ix[fmt.Sprintf("user-%d@example.com", i)] = i%3 == 0
	}
	must(t, k.writeIndex(patient(t), ix))
	mustKeep(t, k, "one-more", "x")
	want := append(ix.names(), "one-more")
	slices.Sort(want)
	expectList(t, k, want...)
	mustForget(t, k, "one-more")
	expectList(t, &Keychain{}, ix.names()...)
	if n := len(indexItems(t, k)); n < 9 || f.Len() != n {
		t.Errorf("%d items, of which %d are the index", f.Len(), n)
	}
}

// The index is written before the item and after it is gone, so that no item is ever unknown.
func TestItemIsNeverUnlisted(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	f.SetOptions(keychaintest.Options{On: keychaintest.Nth("CreateItem", 2, keychaintest.Fault{Drop: true})})
	if err := (&Keychain{}).Set(patient(t), "org", []byte("x")); err == nil {
		t.Fatal("a dropped write is no error")
	}
	expectList(t, &Keychain{}, "org")
	expect(t, &Keychain{}, "org", "") // which strikes it out
	expectList(t, &Keychain{})
	mustKeep(t, &Keychain{}, "org", "x")
	mustKeep(t, &Keychain{}, "other", "x")
	f.SetOptions(keychaintest.Options{On: keychaintest.Nth("CreateItem", 1, keychaintest.Fault{Drop: true})})
	if err := (&Keychain{}).Delete(patient(t), "org"); err == nil {
		t.Fatal("a dropped write is no error")
	}
	expectList(t, &Keychain{}, "org", "other")
	expect(t, &Keychain{}, "org", "")
	expectList(t, &Keychain{}, "other")
}
