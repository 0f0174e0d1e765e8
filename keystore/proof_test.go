package keystore

import (
	"context"
	"strings"
	"testing"

	"sf-credential-helper/keystore/keychaintest"
)

// A keychain that says yes is not believed. Each of these lies, or lets a person say no.
func TestWhatWasNotKeptIsAnError(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for about, o := range map[string]keychaintest.Options{
		"it loses what it is given":         fault1("CreateItem", keychaintest.Fault{Lose: true}),
		"it gives back something else":      fault1("GetSecret", keychaintest.Fault{Corrupt: true}),
		"its prompt is dismissed":           {PromptCreate: true, Answer: keychaintest.Dismiss},
		"its prompt to unlock is dismissed": {Locked: true, Answer: keychaintest.Dismiss},
	} {
		for _, limit := range []int{0, 100} {
			for _, name := range []string{"known", "new"} {
				mustKeep(t, &Keychain{}, "known", "old")
				mustForget(t, &Keychain{}, "new")
				f.SetOptions(o)
				err := (&Keychain{Limit: limit}).Set(patient(t), name, []byte("a new secret"))
				f.SetOptions(keychaintest.Options{})
				mustFail(t, err, ErrDenied)
				if strings.Contains(err.Error(), "a new secret") {
					t.Errorf("%s: %q shows the secret", about, err)
				}
				if o.Faults["GetSecret"].Corrupt {
					continue // after which nobody knows
				}
				expect(t, &Keychain{}, "known", "old")
				expect(t, &Keychain{}, "new", "")
			}
		}
	}
}

func fault1(member string, f keychaintest.Fault) keychaintest.Options {
	return keychaintest.Options{Faults: map[string]keychaintest.Fault{member: f}}
}

func TestWhatIsStillThereIsAnError(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for about, o := range map[string]keychaintest.Options{
		"it forgets nothing":                fault1("Delete", keychaintest.Fault{Lose: true}),
		"its prompt is dismissed":           {PromptDelete: true, Answer: keychaintest.Dismiss},
		"its prompt to unlock is dismissed": {Locked: true, Answer: keychaintest.Dismiss},
	} {
		for _, secret := range []string{"small", numbered(300)} {
			mustKeep(t, &Keychain{Limit: 100}, "org", secret)
			f.SetOptions(o)
			err := (&Keychain{}).Delete(patient(t), "org")
			f.SetOptions(keychaintest.Options{})
			mustFail(t, err, ErrDenied)
			expect(t, &Keychain{}, "org", secret)
			expectList(t, &Keychain{}, "org")
			if t.Failed() {
				t.Fatal(about)
			}
		}
	}
}

// A person who is asked and says yes gets what was asked for.
func TestPromptsThatAreAnswered(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for _, limit := range []int{0, 100} {
		k := &Keychain{Limit: limit}
		f.SetOptions(keychaintest.Options{Locked: true, PromptCreate: true, PromptDelete: true})
		mustKeep(t, k, "org", numbered(250))
		expect(t, k, "org", numbered(250))
		mustForget(t, k, "org")
		expect(t, k, "org", "")
	}
}

// KeePassXC asks a person about each write.
func TestEqualSecretIsNotWritten(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for _, c := range []struct {
		limit int
		text  string
	}{{0, "small"}, {100, "small"}, {100, numbered(300)}, {0, headMark}} {
		one := &Keychain{Limit: c.limit}
		mustKeep(t, one, "org", c.text)
		before := count(f.Calls(), "CreateItem") + count(f.Calls(), "Delete")
		mustKeep(t, one, "org", c.text)
		mustKeep(t, &Keychain{Limit: c.limit}, "org", c.text)
		if n := count(f.Calls(), "CreateItem") + count(f.Calls(), "Delete") - before; n != 0 {
			t.Errorf("limit %d: to keep %s again takes %d writes", c.limit, brief(c.text), n)
		}
	}
}

// What a renewal costs: one item written, and read back.
func TestOverwritingIsOneWriteAndOneRead(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	mustKeep(t, k, "org", "1")
	expect(t, k, "org", "1")
	before := len(f.Calls())
	mustKeep(t, k, "org", "2")
	calls := f.Calls()[before:]
	if w, r := count(calls, "CreateItem"), count(calls, "GetSecret"); w != 1 || r != 1 {
		t.Errorf("%d writes and %d reads: %q", w, r, calls)
	}
}

// What the process remembers of a name may be what another has replaced since.
func TestEqualToWhatWasIsWritten(t *testing.T) {
	if !alone(t) {
		return
	}
	fakeKeychain(t, keychaintest.Options{})
	one, other := &Keychain{}, &Keychain{}
	mustKeep(t, one, "org", "a")
	mustKeep(t, other, "org", "b")
	mustKeep(t, one, "org", "a")
	expect(t, other, "org", "a")
}

// What the process knows of a name ends with the name, whoever ended it.
func TestNewSecretOfAnOldNameIsListed(t *testing.T) {
	if !alone(t) {
		return
	}
	fakeKeychain(t, keychaintest.Options{})
	one, other := &Keychain{}, &Keychain{}
	mustKeep(t, one, "org", "first")
	mustForget(t, other, "org")
	expect(t, one, "org", "")
	mustKeep(t, one, "org", "second")
	expectList(t, other, "org")
}

// Of two writers one would read back what the other wrote.
func TestWritersOfANameTakeTurns(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for _, first := range []string{"", "old"} {
		put(t, &Keychain{}, first)
		o, hit, open := gate(t, "CreateItem")
		f.SetOptions(o)
		done := make(chan error)
		go func() { done <- (&Keychain{}).Set(patient(t), "org", []byte("x")) }()
		<-hit
		mustFail(t, (&Keychain{}).Set(briefly(t), "org", []byte("y")), ErrBusy)
		mustFail(t, (&Keychain{}).Delete(briefly(t), "org"), ErrBusy)
		open()
		must(t, <-done)
		expect(t, &Keychain{}, "org", "x")
	}
}

// A write depends on nobody who is busy with another name, however long: it may be the only chance
// to keep what cannot be had again.
func TestOverwritingNeedsNoOtherName(t *testing.T) {
	if !alone(t) {
		return
	}
	fakeKeychain(t, keychaintest.Options{})
	mustKeep(t, &Keychain{}, "org", "old")
	unlock, err := lock(patient(t), indexAccount)
	must(t, err)
	defer unlock()
	ctx, cancel := context.WithTimeout(patient(t), patience/4)
	defer cancel()
	must(t, (&Keychain{}).Set(ctx, "org", []byte("new")))
}

// What is in the keychain is the secret as it is, so that a person can look at it there.
func TestItemIsTheSecret(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s := realKeychain(t)
	mustKeep(t, &Keychain{}, "My-Org", `{"access_token":"x"}`)
	if got, err := s.Secret(Service, account("My-Org")); err != nil || got != `{"access_token":"x"}` {
		t.Errorf("the item has %q, %v", got, err)
	}
	expectItems(t, s, account("My-Org"), indexAccount)
}

// Somebody's mistake in the keychain is told, is no secret, and can be forgotten or overwritten.
func TestDamagedSecret(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s := realKeychain(t)
	headless := head{"a", 2, checksum("x")}.String()
	for about, item := range map[string]string{
		"no UTF-8": "caf\xe9", "NUL": "a\x00b", "a head without parts": headless, "a broken head": headMark + "x",
	} {
		for _, limit := range []int{0, 100} {
			k := &Keychain{Limit: limit}
			mustKeep(t, k, "org", numbered(300))
			must(t, s.Put(Service, "org", item))
			_, err := (&Keychain{}).Get(patient(t), "org")
			mustFail(t, err, ErrDamaged)
			must(t, Forget(patient(t), k, "org"))
			expectList(t, k)
			mustKeep(t, k, "org", numbered(300))
			must(t, s.Put(Service, "org", item))
			mustKeep(t, &Keychain{Limit: limit}, "org", "repaired")
			expect(t, k, "org", "repaired")
			mustForget(t, k, "org")
			expectItems(t, s)
			if t.Failed() {
				t.Fatal(about, limit)
			}
		}
	}
}
