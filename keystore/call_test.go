package keystore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sf-credential-helper/keystore/keychaintest"
)

// soon is long enough for nothing and short enough for us: what hangs is given up after it.
const soon = 50 * time.Millisecond

// Whatever of the keychain does not answer, the context's error comes, and comes when it should.
func TestWhatHangsEndsWithItsContext(t *testing.T) {
	for about, c := range map[string]struct {
		deed    string
		options keychaintest.Options
	}{
		"a bus that says nothing":            {"get", keychaintest.Options{MuteAuth: true}},
		"Hello":                              {"get", hang("Hello")},
		"Properties.Get":                     {"list", hang("Properties.Get")},
		"Unlock":                             {"get", hang("Unlock")},
		"SearchItems":                        {"delete", hang("SearchItems")},
		"OpenSession":                        {"set", hang("OpenSession")},
		"GetSecret":                          {"get", hang("GetSecret")},
		"CreateItem":                         {"set", hang("CreateItem")},
		"Delete":                             {"delete", hang("Delete")},
		"nobody at the prompt to unlock":     {"get", keychaintest.Options{Locked: true, Answer: keychaintest.Ignore}},
		"nobody at the prompt for a write":   {"set", keychaintest.Options{PromptCreate: true, Answer: keychaintest.Ignore}},
		"nobody at the prompt for a removal": {"delete", keychaintest.Options{PromptDelete: true, Answer: keychaintest.Ignore}},
	} {
		t.Run(about, func(t *testing.T) {
			if !alone(t) {
				return
			}
			f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
			if about != "Hello" && !c.options.MuteAuth { // these hang before there is a connection
				mustKeep(t, k, "org", "old")
			}
			f.SetOptions(c.options)
			hangs(t, context.DeadlineExceeded, k, c.deed)
			hangs(t, context.Canceled, k, c.deed)
		})
	}
}

func hang(member string) keychaintest.Options {
	return keychaintest.Options{Faults: map[string]keychaintest.Fault{member: {Hang: true}}}
}

// hangs does a deed that does not end by itself, under a context that ends with want.
func hangs(t *testing.T, want error, k *Keychain, deed string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	if want == context.Canceled {
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(soon, cancel)
	}
	defer cancel()
	err := within(t, func() error { return do(ctx, k, deed, "org", "new") })
	mustFail(t, err, want)
	var told *Error
	if !errors.As(err, &told) || deed != "list" && told.Name != "org" {
		t.Errorf("%v does not say what it is about", err)
	}
	for _, class := range []error{ErrUnavailable, ErrDenied, ErrBusy, ErrNotFound} {
		if errors.Is(err, class) {
			t.Errorf("%q is %v", err, class)
		}
	}
	if want == context.DeadlineExceeded && !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("%q does not say that it was slow", err)
	}
}

func do(ctx context.Context, s Store, deed, name, secret string) (err error) {
	switch deed {
	case "get":
		_, err = s.Get(ctx, name)
	case "set":
		err = s.Set(ctx, name, []byte(secret))
	case "delete":
		err = s.Delete(ctx, name)
	case "list":
		_, err = s.List(ctx)
	default:
		err = errors.New("no such deed: " + deed)
	}
	return err
}

// within fails the test at once, and not when all tests run out of time, if f does not end.
func within(t *testing.T, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience / 4):
		t.Fatal("it hangs")
		return nil
	}
}

func TestStoppedDaemon(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	s, k := realKeychain(t), &Keychain{}
	mustKeep(t, k, "org", "kept")
	must(t, s.Stop())
	for _, deed := range []string{"get", "set", "delete", "list"} {
		hangs(t, context.DeadlineExceeded, k, deed)
		hangs(t, context.Canceled, k, deed)
	}
	must(t, s.Cont())
	expect(t, k, "org", "kept")
}

// A call that was given up may still have its effect, so nobody may overtake it.
func TestLateCallKeepsItsTurn(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	mustKeep(t, k, "org", "old")
	f.SetOptions(keychaintest.Options{On: keychaintest.Nth("CreateItem", 1, keychaintest.Fault{Hang: true})})
	hangs(t, context.DeadlineExceeded, k, "set")
	hangs(t, context.DeadlineExceeded, k, "get")
	hangs(t, context.DeadlineExceeded, &Keychain{}, "get")
}

// gate holds up the first call of a member: hit is closed when it has come, and it goes on when
// open is called.
func gate(t *testing.T, member string) (o keychaintest.Options, hit chan struct{}, open func()) {
	hit, opened := make(chan struct{}), make(chan struct{})
	open = sync.OnceFunc(func() { close(opened) })
	t.Cleanup(open) // or the bus could not be closed
	o.On = func(m string, n int) keychaintest.Fault {
		if m == member && n == 1 {
			close(hit)
			<-opened
		}
		return keychaintest.Fault{}
	}
	return o, hit, open
}

func TestLateWriteIsOvertakenByNoOther(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	mustKeep(t, k, "org", "old")
	o, hit, open := gate(t, "CreateItem")
	f.SetOptions(o)
	ctx, cancel := context.WithCancel(patient(t))
	go func() { <-hit; cancel() }()
	mustFail(t, k.Set(ctx, "org", []byte("late")), context.Canceled)
	done := make(chan error)
	go func() { done <- k.Set(patient(t), "org", []byte("new")) }()
	open()
	must(t, <-done)
	expect(t, &Keychain{}, "org", "new")
	// What was known before the late write must not stand for what is there after it.
	mustKeep(t, k, "org", "old")
	if got, _ := f.Value("org"); got != "old" {
		t.Errorf("the keychain has %q", got)
	}
}

func TestLateAnswerIsNotUsed(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	mustKeep(t, k, "org", "old")
	mustKeep(t, k, "other", "another")
	o, hit, open := gate(t, "GetSecret")
	f.SetOptions(o)
	ctx, cancel := context.WithCancel(patient(t))
	go func() { <-hit; cancel() }()
	one := &Keychain{}
	secret, err := one.Get(ctx, "org")
	mustFail(t, err, context.Canceled)
	open()
	expect(t, one, "other", "another") // by now the late answer is there
	if _, ok := one.lastSeen("org"); ok || secret != nil {
		t.Errorf("the late answer was used: %q", secret)
	}
}

// A bus that goes away while it asks makes go-keyring panic.
func TestPanicIsDenied(t *testing.T) {
	for _, deed := range []string{"get", "set", "delete", "list"} {
		t.Run(deed, func(t *testing.T) {
			if !alone(t) {
				return
			}
			f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
			mustKeep(t, k, "org", "old")
			f.SetOptions(keychaintest.Options{Locked: true, Answer: keychaintest.Disconnect})
			err := within(t, func() error { return do(patient(t), k, deed, "org", "new") })
			mustFail(t, err, ErrDenied)
			// Not by a Get: for a moment godbus takes the connection that is closing for a good one.
			if kept, _ := f.Value("org"); kept != "old" {
				t.Errorf("the keychain has %q", kept)
			}
		})
	}
}

func TestPanicShowsNothing(t *testing.T) {
	text, err := survive(func() (string, error) { panic("00D!secret") })
	mustFail(t, err, ErrDenied)
	if text != "" || strings.Contains(err.Error(), "00D") {
		t.Errorf("%q, %v", text, err)
	}
}

const noReply = "org.freedesktop.DBus.Error.NoReply"

var lastWords = []string{"Message recipient disconnected from message bus without replying", "Remote peer disconnected"}

// The session starts a service that died anew, so one that dies once is no reason to fail.
func TestServiceThatDiesIsAskedOnceMore(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for _, words := range lastWords {
		for _, c := range [][2]string{
			{"get", "GetSecret"}, {"get", "Unlock"}, {"list", "SearchItems"},
			{"set", "CreateItem"}, {"set", "Unlock"}, {"delete", "Delete"}, {"delete", "SearchItems"},
		} {
			dying := keychaintest.Fault{Err: noReply, Text: words}
			dieOnce := keychaintest.Options{On: keychaintest.Nth(c[1], 1, dying)}
			if err := doWith(t, f, dieOnce, c[0]); err != nil {
				t.Errorf("%s dies once: %v", c[1], err)
			}
			tries := 0
			dieAlways := keychaintest.Options{On: func(member string, n int) keychaintest.Fault {
				if member != c[1] {
					return keychaintest.Fault{}
				}
				tries = n
				return dying
			}}
			mustFail(t, doWith(t, f, dieAlways, c[0]), ErrDenied)
			if tries != 2 {
				t.Errorf("%s was tried %d times", c[1], tries)
			}
		}
	}
}

// doWith does a deed to a name that has something, with these failures.
func doWith(t *testing.T, f *keychaintest.Fake, o keychaintest.Options, deed string) error {
	t.Helper()
	mustKeep(t, &Keychain{}, "org", "old")
	f.SetOptions(o)
	defer f.SetOptions(keychaintest.Options{})
	return do(patient(t), &Keychain{}, deed, "org", "new")
}

// A write that is the first thing on a connection can kill gnome-keyring.
func TestReadBeforeWrite(t *testing.T) {
	if !alone(t) {
		return
	}
	f := fakeKeychain(t, keychaintest.Options{})
	for i, limit := range []int{0, 0, 0, 100, 100, 100} {
		start := reconnect(t, f)
		mustKeep(t, &Keychain{Limit: limit}, "org", fmt.Sprint(numbered(i%2*300), i))
		readBefore(t, f.Calls()[start:], "CreateItem")
	}
	start := reconnect(t, f)
	mustForget(t, &Keychain{}, "org")
	readBefore(t, f.Calls()[start:], "Delete")
}

// A second try comes on what may be a service that has just been started.
func TestReadBeforeWritingOnceMore(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	mustKeep(t, k, "org", "old")
	start := len(f.Calls())
	f.SetOptions(keychaintest.Options{On: keychaintest.Nth("CreateItem", 1, keychaintest.Fault{Err: noReply, Text: lastWords[0]})})
	mustKeep(t, k, "org", "new")
	calls := f.Calls()[start:]
	for i, member := range calls {
		if member == "CreateItem" {
			readBefore(t, calls[i+1:], "CreateItem")
			return
		}
	}
	t.Errorf("nothing was written: %q", calls)
}

// reconnect makes the next call the first on its connection. It returns where its calls begin.
func reconnect(t *testing.T, f *keychaintest.Fake) int {
	t.Helper()
	f.SetOptions(keychaintest.Options{Faults: map[string]keychaintest.Fault{"*": {Drop: true}}})
	if _, err := (&Keychain{}).List(patient(t)); err == nil {
		t.Fatal("a dropped connection answers")
	}
	f.SetOptions(keychaintest.Options{})
	return len(f.Calls())
}

func readBefore(t *testing.T, calls []string, write string) {
	t.Helper()
	all := strings.Join(calls, " ")
	before, _, found := strings.Cut(all, " "+write+" ")
	if !found || !strings.Contains(before, "SearchItems") {
		t.Errorf("nothing is read before %s: %s", write, all)
	}
}

func count(calls []string, member string) (n int) {
	for _, c := range calls {
		if c == member {
			n++
		}
	}
	return n
}

// Under a context that is over nothing is asked of the keychain, not even in vain.
func TestContextThatIsOverAsksNobody(t *testing.T) {
	if !alone(t) {
		return
	}
	f, k := fakeKeychain(t, keychaintest.Options{}), &Keychain{}
	mustKeep(t, k, "org", "x")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := len(f.Calls())
	for range 30 { // a select between two that are ready tosses a coin
		for _, deed := range []string{"get", "set", "delete", "list"} {
			mustFail(t, do(ctx, k, deed, "org", "y"), context.Canceled)
		}
	}
	expect(t, k, "org", "x") // which comes after whatever was asked
	if n := count(f.Calls()[before:], "GetSecret"); n != 1 {
		t.Errorf("%d secrets were read", n)
	}
}

// A bus whose queue of callers is full says "resource temporarily unavailable", and is there.
func TestBusyBusIsAskedAgain(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
	busy := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EAGAIN)}
	calls := 0
	text, err := call(patient(t), func() (string, error) {
		if calls++; calls < 3 {
			return "", busy
		}
		return "secret", nil
	})
	if text != "secret" || err != nil || calls != 3 {
		t.Errorf("%q, %v after %d calls", text, err, calls)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = call(ctx, func() (string, error) { return "", busy })
	mustFail(t, err, context.DeadlineExceeded)
}
