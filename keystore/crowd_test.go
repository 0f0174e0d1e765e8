package keystore

import (
	"fmt"
	"sync"
	"testing"

	"sf-credential-helper/keystore/keychaintest"
)

// A hundred readers and writers, in a few processes.
func TestCrowd(t *testing.T) {
	for _, limit := range []int{0, 200} {
		t.Run(fmt.Sprint("limit ", limit), func(t *testing.T) {
			needSession(t)
			if !alone(t) {
				return
			}
			s := realKeychain(t)
			crowd(t, limit)
			expectItems(t, s, allItems(t)...)
		})
	}
}

func crowd(t *testing.T, limit int) {
	const processes = 8 // of 12 each
	mustKeep(t, &Keychain{Limit: limit}, "shared", marked("first", 0))
	var wg sync.WaitGroup
	want := []string{}
	for p := range processes {
		cmd := child(t, "crowd", fmt.Sprint(limit), fmt.Sprint("own-", p))
		wg.Go(func() { run(t, cmd) })
		for i := range 2 {
			want = append(want, fmt.Sprintf("own-%d-%d", p, i))
		}
	}
	wg.Wait()
	expectList(t, &Keychain{}, append(want, "shared")...)
	for _, name := range want {
		expect(t, &Keychain{}, name, marked(name, 0))
	}
	secret, err := (&Keychain{}).Get(patient(t), "shared")
	must(t, err)
	must(t, checkMarked(string(secret)))
}

// Views of the same store in one process share what they know of nothing.
func TestViewsDoNotShareWhatTheyKnow(t *testing.T) {
	if !alone(t) {
		return
	}
	fakeKeychain(t, keychaintest.Options{})
	one, other := &Keychain{}, &Keychain{Limit: tiny}
	for i := range 6 {
		writer, reader := one, other
		if i%2 == 1 {
			writer, reader = other, one
		}
		text := numbered(90 + i*40)
		mustKeep(t, writer, "org", text)
		expect(t, reader, "org", text)
	}
	mustForget(t, one, "org")
	expect(t, other, "org", "")
}
