package keystore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// testStore puts a store through what every Store promises. It begins and ends empty. What open
// returns are views of the same store, as other processes have them.
func testStore(t *testing.T, open func() Store) {
	for _, c := range []struct {
		promise string
		test    func(*testing.T, func() Store)
	}{
		{"text comes back as it was", testTexts},
		{"what is no text is refused and changes nothing", testRefusedSecrets},
		{"names are told apart", testNames},
		{"bad names are refused", testRefusedNames},
		{"large and small take turns", testTurns},
		{"what is forgotten is gone", testForget},
		{"a context that is over stops everything", testContextOver},
		{"many at once lose nothing", testManyAtOnce},
	} {
		t.Run(c.promise, func(t *testing.T) {
			c.test(t, open)
			expectList(t, open())
		})
	}
}

func testTexts(t *testing.T, open func() Store) {
	for about, text := range someTexts() {
		mustKeep(t, open(), "org", text)
		mustKeep(t, open(), "org", text) // an equal one
		got, err := open().Get(patient(t), "org")
		if err != nil || string(got) != text {
			t.Errorf("%s: got %s, %v", about, brief(string(got)), err)
		}
	}
	mustForget(t, open(), "org")
}

// someTexts are what keychains, encodings and our own marks could stumble over.
func someTexts() map[string]string {
	all := map[string]string{
		"lines":             "a\nb\r\nc\n\n",
		"spaces":            " \t a \t ",
		"one newline":       "\n",
		"quotes":            `'"` + "`$(x)\\%s{}",
		"JSON":              `{"access_token":"00D!A","refresh_token":"5Aep"}`,
		"controls":          "\x01\x1b[31m\x7f",
		"byte order mark":   "\ufeffx\ufffd\u2028",
		"our mark":          headMark,
		"our head":          head{"a", 2, checksum("x")}.String(),
		"our index":         index{"org": true}.String(),
		"go-keyring's":      "go-keyring-base64:aGVsbG8=",
		"old go-keyring's":  "go-keyring-encoded:00",
		"go-keyring within": strings.Repeat("x", 95) + "go-keyring-base64:" + strings.Repeat("y", 95),
		"base64":            "aGVsbG8=",
		"hex":               "68656c6c6f",
	}
	for _, n := range []int{1, 2559, 2560, 2561, 3000, MaxSecret} {
		all[fmt.Sprint(n, " bytes")] = numbered(n)
	}
	for shift := range 4 {
		all[fmt.Sprint("planes, shifted by ", shift)] = strings.Repeat("x", shift) + strings.Repeat(planes(), 40)
	}
	return all
}

// numbered is n bytes of text no two stretches of which are equal.
func numbered(n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()[:n]
}

// planes has a character of each plane of Unicode, of one to four bytes.
func planes() string {
	s := "aé€"
	for plane := range rune(17) {
		s += string(plane<<16 | 0x1abc)
	}
	return s
}

func testRefusedSecrets(t *testing.T, open func() Store) {
	for about, secret := range map[string][]byte{
		"nil": nil, "empty": {}, "NUL": []byte("a\x00b"), "a cut character": []byte("a\xe2\x82"),
		"a surrogate": []byte("\xed\xa0\x80"), "Latin-1": []byte("caf\xe9"), "too large": []byte(numbered(MaxSecret + 1)),
	} {
		for _, old := range []string{"", "old"} {
			if old != "" {
				mustKeep(t, open(), "org", old)
			}
			err := open().Set(patient(t), "org", secret)
			mustFail(t, err, ErrInvalid)
			if len(secret) > 0 && strings.Contains(err.Error(), string(secret)) {
				t.Errorf("%s: the error shows it: %.100q", about, err)
			}
			expect(t, open(), "org", old)
		}
		mustForget(t, open(), "org")
	}
}

func testNames(t *testing.T, open func() Store) {
	names := []string{
		"org", "ORG", "Org", "oRG", "a/b", "a:b", "a:B", "a@b", "a+b", "a-b", "a_b", "a.b", "a", "A", "0", "/", ":", "@",
		"names:", "go-keyring-x", "con", "x..", "me@example.com.sandbox",
		strings.Repeat("z", maxName), strings.Repeat("Z", maxName), strings.Repeat("z", maxName-1) + "Z", strings.Repeat("z", maxName-1),
	}
	for _, name := range names {
		mustKeep(t, open(), name, "secret of "+name)
	}
	for _, name := range names {
		expect(t, open(), name, "secret of "+name)
	}
	slices.Sort(names)
	expectList(t, open(), names...)
	for i, name := range names {
		mustForget(t, open(), name)
		if i%8 == 0 {
			expectList(t, open(), names[i+1:]...)
		}
	}
}

func testRefusedNames(t *testing.T, open func() Store) {
	for _, name := range badNames {
		_, err := open().Get(patient(t), name)
		mustFail(t, err, ErrInvalid)
		mustFail(t, open().Set(patient(t), name, []byte("x")), ErrInvalid)
		mustFail(t, open().Set(patient(t), name, nil), ErrInvalid)
		mustFail(t, open().Delete(patient(t), name), ErrInvalid)
	}
}

func testTurns(t *testing.T, open func() Store) {
	for _, size := range []int{1, 3000, 2, 3001, 2600, 5000, 3} {
		text := numbered(size)
		mustKeep(t, open(), "org", text)
		expect(t, open(), "org", text)
	}
	one := open() // as a program that keeps its store
	for _, size := range []int{3000, 1} {
		text := numbered(size)
		mustKeep(t, one, "org", text)
		expect(t, one, "org", text)
		expectList(t, one, "org")
	}
	mustForget(t, one, "org")
}

func testForget(t *testing.T, open func() Store) {
	mustForget(t, open(), "org")
	for _, size := range []int{1, 3000} {
		mustKeep(t, open(), "org", numbered(size))
		mustKeep(t, open(), "other", "x")
		mustForget(t, open(), "org")
		expect(t, open(), "org", "")
		expectList(t, open(), "other")
		mustForget(t, open(), "org")
		mustForget(t, open(), "other")
	}
	one := open() // what it knows of a name must not outlive the name
	mustKeep(t, one, "org", "first")
	mustForget(t, open(), "org")
	expect(t, one, "org", "")
	mustKeep(t, one, "org", "second")
	expectList(t, open(), "org")
	mustForget(t, one, "org")
}

func testContextOver(t *testing.T, open func() Store) {
	ctx, cancel := context.WithCancel(patient(t))
	cancel()
	one := open()
	mustKeep(t, one, "org", "old")
	for range 10 { // a select between two that are ready tosses a coin
		expect(t, one, "org", "old")
		mustFail(t, one.Set(ctx, "org", []byte("new")), context.Canceled)
		mustFail(t, one.Delete(ctx, "org"), context.Canceled)
		_, err := one.Get(ctx, "org")
		mustFail(t, err, context.Canceled)
		_, err = one.List(ctx)
		mustFail(t, err, context.Canceled)
	}
	mustForget(t, one, "org")
}

// testManyAtOnce lets writers and readers share a name, each with a view of its own, while others
// write and forget names of theirs.
func testManyAtOnce(t *testing.T, open func() Store) {
	const many = 6
	ctx := patient(t)
	mustKeep(t, open(), "shared", marked("first", 0))
	var wg sync.WaitGroup
	for i := range many {
		name := fmt.Sprint("own-", i)
		wg.Go(func() { check(t, writeMarked(ctx, open(), "shared", name, 3)) })
		wg.Go(func() { check(t, readMarked(ctx, open(), "shared", 3)) })
		wg.Go(func() { check(t, writeMarked(ctx, open(), name, name, 2)) })
		wg.Go(func() { check(t, comeAndGo(ctx, open(), "brief-"+name)) })
	}
	wg.Wait()
	var want []string
	for i := range many {
		name := fmt.Sprint("own-", i)
		want = append(want, name)
		expect(t, open(), name, marked(name, 1))
	}
	expectList(t, open(), append(want, "shared")...)
	for _, name := range append(want, "shared") {
		mustForget(t, open(), name)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// marked is a text that says by whom and when it was written, and from which a mixture of two can
// be told. Its size changes with each version.
func marked(writer string, version int) string {
	body := fmt.Sprintf("%s %d %s", writer, version, numbered(150+version%7*40))
	return checksum(body) + " " + body
}

func checkMarked(text string) error {
	sum, body, _ := strings.Cut(text, " ")
	if checksum(body) != sum {
		return fmt.Errorf("a mixture: %s", brief(text))
	}
	return nil
}

func writeMarked(ctx context.Context, s Store, name, writer string, times int) error {
	for version := range times {
		if err := s.Set(ctx, name, []byte(marked(writer, version))); err != nil {
			return fmt.Errorf("%s writes %s: %w", writer, name, err)
		}
	}
	return nil
}

func readMarked(ctx context.Context, s Store, name string, times int) error {
	for range times {
		text, err := s.Get(ctx, name)
		if err == nil {
			err = checkMarked(string(text))
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
	}
	return nil
}

func comeAndGo(ctx context.Context, s Store, name string) error {
	if err := s.Set(ctx, name, []byte(marked(name, 0))); err != nil {
		return err
	}
	return s.Delete(ctx, name)
}
