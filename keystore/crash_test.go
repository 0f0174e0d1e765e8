package keystore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sf-credential-helper/keystore/keychaintest"
)

const tiny = 100 // bytes of an item, so that a secret of a few hundred has several

// writes are all kinds of changes: from what is kept to what shall be, "" for nothing.
var writes = []struct{ from, to string }{
	{"", "plain"},
	{"", numbered(150)},
	{"plain", numbered(150)},
	{numbered(150), numbered(350)},
	{numbered(350), numbered(150)},
	{numbered(350), "plain"},
	{numbered(150), ""},
	{"plain", ""},
}

// A writer that dies before any of its steps leaves the old or the new secret, whole. Whatever is
// done next to the name leaves nothing else behind.
func TestWriterThatDies(t *testing.T) {
	for _, w := range writes {
		for _, next := range []string{"equal", "another", "delete"} {
			t.Run(fmt.Sprintf("%d-%d-%s", len(w.from), len(w.to), next), func(t *testing.T) {
				if !alone(t) {
					return
				}
				f := fakeKeychain(t, keychaintest.Options{})
				for n := int64(1); dieBefore(t, f, n, w.from, w.to); n++ {
					got := either(t, w.from, w.to)
					follow(t, next, got)
					nothingElse(t, f)
				}
			})
		}
	}
}

// dieBefore brings org from one secret to another with a process that dies before its nth step, and
// reports false if it did not need so many.
func dieBefore(t *testing.T, f *keychaintest.Fake, n int64, from, to string) bool {
	t.Helper()
	put(t, &Keychain{Limit: tiny}, from)
	var steps atomic.Int64
	f.SetOptions(keychaintest.Options{On: func(member string, _ int) keychaintest.Fault {
		step := member == "CreateItem" || member == "Delete"
		return keychaintest.Fault{Drop: step && steps.Add(1) >= n}
	}})
	defer f.SetOptions(keychaintest.Options{})
	k := &Keychain{Limit: tiny}
	var err error
	if to == "" {
		err = k.Delete(patient(t), "org")
	} else {
		err = k.Set(patient(t), "org", []byte(to))
	}
	if died := steps.Load() >= n; died != (err != nil) {
		t.Fatalf("step %d of %d: %v", n, steps.Load(), err)
	}
	return err != nil
}

// put makes secret what org has, and tells other names from it.
func put(t *testing.T, k *Keychain, secret string) {
	t.Helper()
	if secret == "" {
		mustForget(t, k, "org")
		return
	}
	mustKeep(t, k, "org", secret)
}

// either demands that org has one secret or the other, and is listed if it has one.
func either(t *testing.T, from, to string) string {
	t.Helper()
	names, err := (&Keychain{}).List(patient(t))
	must(t, err)
	secret, err := (&Keychain{}).Get(patient(t), "org")
	got := string(secret)
	if err != nil {
		mustFail(t, err, ErrNotFound)
	}
	if got != from && got != to {
		t.Fatalf("it has %s, neither %s nor %s", brief(got), brief(from), brief(to))
	}
	if got != "" && strings.Join(names, " ") != "org" {
		t.Fatalf("it is there, and listed are %q", names)
	}
	return got
}

func follow(t *testing.T, next, got string) {
	t.Helper()
	switch next {
	case "equal":
		put(t, &Keychain{Limit: tiny}, got)
	case "another":
		put(t, &Keychain{Limit: tiny}, "another"+numbered(120)) // of two parts, with more of the dead
	case "delete":
		put(t, &Keychain{Limit: tiny}, "")
	}
}

// nothingElse demands that there is nothing in the keychain but the index and what it names.
func nothingElse(t *testing.T, f *keychaintest.Fake) {
	t.Helper()
	if got, want := f.Len(), len(allItems(t)); got != want {
		t.Fatalf("there are %d items, %d of which are needed", got, want)
	}
}

// allItems are the accounts of the index, of the names in it and of their parts.
func allItems(t *testing.T) []string {
	t.Helper()
	k := &Keychain{}
	names, err := k.List(patient(t))
	must(t, err)
	var all []string
	for _, a := range append(accountsOf(names), indexAccount) {
		_, h, err := k.read(patient(t), a)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		must(t, err)
		all = append(all, a)
		for i := range h.parts {
			all = append(all, part(a, h.slot, i))
		}
	}
	return all
}

func accountsOf(names []string) (all []string) {
	for _, name := range names {
		all = append(all, account(name))
	}
	return all
}

// The index is a split secret too. A writer that dies in it loses no other name.
func TestWriterOfTheIndexThatDies(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	var others []string // enough for a split index
	for i := range 4 {
		others = append(others, fmt.Sprint(strings.Repeat("a", 50), i))
		mustKeep(t, &Keychain{Limit: tiny}, others[i], "x")
	}
	for n := int64(1); dieBefore(t, f, n, "", "new"); n++ {
		names, err := (&Keychain{}).List(patient(t))
		must(t, err)
		if names = names[:min(4, len(names))]; !slices.Equal(names, others) {
			t.Fatalf("step %d: listed are %s", n, names)
		}
		// What is left of an index goes with the next change of it.
		mustKeep(t, &Keychain{Limit: tiny}, "one-more", "x")
		mustForget(t, &Keychain{Limit: tiny}, "one-more")
		put(t, &Keychain{Limit: tiny}, "newer")
		nothingElse(t, f)
	}
}

// While a reader is on its way from part to part, a writer may replace all of them, twice.
func TestReaderThatIsOvertaken(t *testing.T) {
	for _, versions := range []int{1, 2, 3} {
		t.Run(fmt.Sprint(versions, "-times"), func(t *testing.T) {
			if alone(t) {
				overtake(t, "GetSecret", versions)
			}
		})
	}
}

// go-keyring searches for an item and then unlocks it. Of one that is gone by then it says what it
// says of one that a person did not want to unlock.
func TestReaderThatIsTooLateToUnlock(t *testing.T) {
	if alone(t) {
		overtake(t, "OpenSession", 1)
	}
}

// overtake lets a writer write these versions while a reader is at a member, for the head and then
// for each part.
func overtake(t *testing.T, member string, versions int) {
	f := fakeKeychain(t, keychaintest.Options{})
	const parts = 3
	first, last, lines := marked("first", 0), "", ""
	for v := range versions {
		last = marked("next", v)
		lines += last + "\n"
	}
	for n := int64(1); n <= 1+parts; n++ {
		mustKeep(t, &Keychain{Limit: tiny}, "org", first)
		f.SetOptions(meanwhile(t, member, n, "org", fmt.Sprint(tiny), lines))
		got, err := (&Keychain{}).Get(patient(t), "org")
		must(t, err)
		f.SetOptions(keychaintest.Options{})
		if s := string(got); s != last && s != first {
			t.Errorf("overtaken at read %d it finds %s", n, brief(s))
		}
		expect(t, &Keychain{}, "org", last)
	}
	nothingElse(t, f)
}

// meanwhile lets another process give name each of the lines while our nth call of a member is on its
// way, before it is answered.
func meanwhile(t *testing.T, member string, n int64, name, limit, lines string) keychaintest.Options {
	writer := child(t, "set", name, limit)
	writer.Stdin = strings.NewReader(lines)
	var met atomic.Int64
	return keychaintest.Options{On: func(m string, _ int) keychaintest.Fault {
		if m == member && met.Add(1) == n {
			met.Add(1 << 32) // the writer's calls do not count
			if err := writer.Run(); err != nil {
				t.Error(err, writer.Stderr)
			}
		}
		return keychaintest.Fault{}
	}}
}

// Parts hold whole characters: KWallet and KeePassXC mangle what is not text.
func TestPartsAreText(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for shift := range 4 {
		k := &Keychain{Limit: tiny}
		mustKeep(t, k, "org", strings.Repeat("x", shift)+strings.Repeat(planes(), 5))
		_, h, err := k.read(patient(t), "org")
		must(t, err)
		if h.parts < 3 {
			t.Fatalf("%d parts", h.parts)
		}
		for i := range h.parts {
			if p, ok := f.Value(part("org", h.slot, i)); !ok || len(p) > tiny || checkAnswer(p) != nil {
				t.Errorf("part %d is %q", i, p)
			}
		}
		if text, _ := f.Value("org"); len(text) > tiny {
			t.Errorf("the head has %d bytes", len(text))
		}
	}
}

// kill -9 at any moment, on the real thing.
func TestKilledWriters(t *testing.T) {
	const kills, lanes = 200, 4
	needSession(t)
	if !alone(t) {
		return
	}
	s := realKeychain(t)
	t.Run("all", func(t *testing.T) {
		for lane := range lanes {
			t.Run(fmt.Sprint("lane ", lane), func(t *testing.T) {
				t.Parallel()
				name := fmt.Sprint("Org", lane)
				mustKeep(t, &Keychain{Limit: tiny}, name, marked("first", 0))
				for i := range kills / lanes {
					killWriter(t, name)
					survivor(t, name, i)
				}
				mustKeep(t, &Keychain{Limit: tiny}, name, "x")
			})
		}
	})
	expectItems(t, s, allItems(t)...)
}

func killWriter(t *testing.T, name string) {
	t.Helper()
	writer := child(t, "write", name, fmt.Sprint(tiny), "w")
	begin(t, writer)
	time.Sleep(rand.N(20 * time.Millisecond)) // the moment
	kill9(t, writer)
}

// survivor demands a whole secret, and now and then writes it again or deletes it.
func survivor(t *testing.T, name string, i int) {
	t.Helper()
	k := &Keychain{Limit: tiny}
	secret, err := k.Get(patient(t), name)
	must(t, err)
	must(t, checkMarked(string(secret)))
	switch i % 10 {
	case 3:
		mustKeep(t, k, name, string(secret))
	case 7:
		mustForget(t, k, name)
		expect(t, k, name, "")
		mustKeep(t, k, name, marked("first", 0))
	}
}
