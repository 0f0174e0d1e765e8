package keystore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func keepThis(secret string) func([]byte, func([]byte) error) error {
	return func(_ []byte, keep func([]byte) error) error { return keep([]byte(secret)) }
}

// noTurn is for Updates that must not get that far.
func noTurn(t *testing.T) func([]byte, func([]byte) error) error {
	return func([]byte, func([]byte) error) error {
		t.Error("it was not its turn")
		return nil
	}
}

func TestUpdateChangesWhatIsKept(t *testing.T) {
	s := &memory{}
	var seen []string
	for _, secret := range []string{"1", "2"} {
		must(t, Update(t.Context(), s, "org", func(old []byte, keep func([]byte) error) error {
			seen = append(seen, string(old))
			return errors.Join(keep([]byte("begun")), keep([]byte(secret)))
		}))
	}
	if strings.Join(seen, ",") != ",1" || s.value("org") != "2" {
		t.Errorf("seen were %q, kept is %q", seen, s.value("org"))
	}
	must(t, Update(t.Context(), s, "org", func(_ []byte, keep func([]byte) error) error { return keep(nil) }))
	if got := s.value("org"); got != "" {
		t.Errorf("keep(nil) leaves %q", got)
	}
	must(t, Update(t.Context(), s, "org", func(old []byte, _ func([]byte) error) error {
		if old != nil {
			t.Errorf("nothing is %q", old)
		}
		return nil
	}))
	mustFail(t, Update(t.Context(), s, ".org", noTurn(t)), ErrInvalid)
	mustFail(t, Forget(t.Context(), s, ".org"), ErrInvalid)
}

func TestUpdateReturnsTheErrorAsItIs(t *testing.T) {
	mine := errors.New("mine")
	if err := Update(t.Context(), &memory{}, "org", func([]byte, func([]byte) error) error { return mine }); err != mine {
		t.Errorf("got %v", err)
	}
	theirs := &Error{Op: "read", Name: "org", Err: ErrDenied}
	if err := Update(t.Context(), &memory{fail: theirs}, "org", noTurn(t)); err != theirs {
		t.Errorf("got %v", err)
	}
	must(t, Update(t.Context(), &memory{}, "org", keepThis("x"))) // and the lock is free again
}

func TestLockIsFreeAfterAPanic(t *testing.T) {
	func() {
		defer func() { _ = recover() }()
		_ = Update(t.Context(), &memory{}, "panics", func([]byte, func([]byte) error) error { panic("x") })
	}()
	must(t, Update(briefly(t), &memory{}, "panics", keepThis("x")))
}

func TestUpdatesTakeTurns(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	const processes, times = 8, 4
	realKeychain(t)
	mustKeep(t, &Keychain{}, "org", "0")
	var wg sync.WaitGroup
	for range processes {
		cmd := child(t, "count", "org", strconv.Itoa(times))
		wg.Go(func() { run(t, cmd) })
	}
	wg.Wait()
	expect(t, &Keychain{}, "org", strconv.Itoa(processes*times))
}

func TestGoroutinesTakeTurnsToo(t *testing.T) {
	s := &memory{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			check(t, Update(t.Context(), s, "org", func(old []byte, keep func([]byte) error) error {
				return keep([]byte(strconv.Itoa(number(string(old)) + 1)))
			}))
		})
	}
	wg.Wait()
	if got := s.value("org"); got != "10" {
		t.Errorf("counted to %s", got)
	}
}

func TestUpdateWaitsForAnotherProcess(t *testing.T) {
	holder := child(t, "hold", "org")
	letGo := begin(t, holder)

	err := Update(briefly(t), &memory{}, "org", noTurn(t))
	mustFail(t, err, ErrBusy)
	mustFail(t, err, context.DeadlineExceeded)
	var told *Error
	if !errors.As(err, &told) || told.Name != "org" || !strings.Contains(err.Error(), "another process") || !strings.Contains(err.Error(), "org ") {
		t.Errorf("%q does not say that another process holds org", err)
	}
	mustFail(t, Forget(briefly(t), &memory{}, "org"), ErrBusy)

	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(soon, cancel)
	err = Update(ctx, &memory{}, "org", noTurn(t))
	mustFail(t, err, context.Canceled)
	if errors.Is(err, ErrBusy) {
		t.Errorf("%q is busy, not cancelled", err)
	}

	ctx, cancel = context.WithTimeout(t.Context(), patience/4)
	defer cancel()
	for _, other := range []string{"Org", "org2", "index"} {
		must(t, Update(ctx, &memory{}, other, keepThis("x")))
	}

	waiting := make(chan error)
	go func() { waiting <- Update(patient(t), &memory{}, "org", keepThis("x")) }()
	must(t, letGo.Close())
	must(t, holder.Wait())
	must(t, <-waiting)
}

// A context that is over has asked nobody, so nobody can be busy.
func TestUpdateAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	err := Update(ctx, &memory{}, "org", noTurn(t))
	mustFail(t, err, context.DeadlineExceeded)
	if errors.Is(err, ErrBusy) {
		t.Errorf("%q though nobody holds it", err)
	}
}

func TestKilledHolderLetsGo(t *testing.T) {
	holder := child(t, "hold", "org")
	begin(t, holder)
	mustFail(t, Update(briefly(t), &memory{}, "org", noTurn(t)), ErrBusy)
	kill9(t, holder)
	must(t, Update(patient(t), &memory{}, "org", keepThis("x")))
}

func TestLockFiles(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", filepath.Join(t.TempDir(), "state"))
	var before []string
	for range 2 {
		must(t, Update(t.Context(), &memory{}, "org", func([]byte, func([]byte) error) error {
			before = lockFiles(t)
			return nil
		}))
		must(t, Forget(t.Context(), &memory{}, "org"))
		if after := lockFiles(t); len(before) != 1 || strings.Join(after, " ") != before[0] {
			t.Errorf("while it is held %q, later %q", before, after)
		}
	}
	dir := filepath.Dir(before[0])
	for path := dir; path != filepath.Dir(os.Getenv("XDG_STATE_HOME")); path = filepath.Dir(path) {
		mustHaveMode(t, path, os.ModeDir|0o700)
	}
	mustHaveMode(t, before[0], 0o600)
	if text, err := os.ReadFile(before[0]); err != nil || len(text) > 0 {
		t.Errorf("the lock holds %q, %v", text, err)
	}
	if strings.Contains(before[0], "org.") {
		t.Errorf("%s depends on what a file system takes for a name", before[0])
	}
}

func lockFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(os.Getenv("XDG_STATE_HOME"), Service, "locks", "*"))
	must(t, err)
	return files
}

func mustHaveMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != want {
		t.Errorf("%s is %v, want %v", path, info.Mode(), want)
	}
}

func TestStateDirectoryThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	t.Setenv("XDG_STATE_HOME", file)
	for _, err := range []error{
		Update(t.Context(), &memory{}, "org", noTurn(t)),
		Forget(t.Context(), &memory{}, "org"),
		(&Keychain{}).Set(t.Context(), "org", []byte("x")),
		(&Keychain{}).Delete(t.Context(), "org"),
	} {
		var told *Error
		if !errors.As(err, &told) || told.Name != "org" || !strings.Contains(err.Error(), file) {
			t.Errorf("%v does not say what cannot be made", err)
			continue
		}
		mustFail(t, err, told)
	}
}

func TestStateDirectory(t *testing.T) {
	home, state := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	for xdg, want := range map[string]string{state: state, "": filepath.Join(home, ".local", "state"), "relative": filepath.Join(home, ".local", "state")} {
		t.Setenv("XDG_STATE_HOME", xdg)
		if got, err := stateDir(); err != nil || got != want {
			t.Errorf("with %q it is %s, %v", xdg, got, err)
		}
	}
	// What the system knows of the user is used where HOME says nothing.
	t.Setenv("XDG_STATE_HOME", "")
	for _, home := range []string{"", "relative"} {
		t.Setenv("HOME", home)
		if got, err := stateDir(); err == nil && !filepath.IsAbs(got) {
			t.Errorf("with HOME %q it is %s", home, got)
		}
	}
}

func TestFirstKeepNeedsTheContext(t *testing.T) {
	for about, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": context.WithCancel,
		"too late":  func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, soon) },
	} {
		s := &memory{m: map[string]string{"org": "old"}}
		ctx, cancel := end(t.Context())
		err := Update(ctx, s, "org", func(_ []byte, keep func([]byte) error) error {
			if about == "cancelled" {
				cancel()
			}
			<-ctx.Done()
			return keep([]byte("new"))
		})
		mustFail(t, err, ctx.Err())
		if got := s.value("org"); got != "old" {
			t.Errorf("%s: kept is %q", about, got)
		}
		cancel()
	}
}

func TestLaterKeepsDoNot(t *testing.T) {
	for about, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"cancelled": context.WithCancel,
		"too late":  func(ctx context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(ctx, soon) },
	} {
		s := &memory{}
		ctx, cancel := end(t.Context())
		must(t, Update(ctx, s, "org", func(_ []byte, keep func([]byte) error) error {
			must(t, keep([]byte("begun")))
			if about == "cancelled" {
				cancel()
			}
			<-ctx.Done()
			must(t, keep([]byte("renewed")))
			if got := s.value("org"); got != "renewed" {
				t.Errorf("%s: kept is %q", about, got)
			}
			return keep(nil)
		}))
		if got := s.value("org"); got != "" {
			t.Errorf("%s: kept is %q", about, got)
		}
		cancel()
	}
}

// A keep that has begun is not torn by Ctrl-C, the first no more than the later ones.
func TestCancelDoesNotStopAKeepInTheMiddle(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &memory{}
	must(t, Update(ctx, s, "org", func(_ []byte, keep func([]byte) error) error {
		s.note = func(context.Context) { cancel() }
		return keep([]byte("x"))
	}))
	if ctx.Err() == nil || s.value("org") != "x" {
		t.Errorf("kept is %q, %v", s.value("org"), ctx.Err())
	}
}

// A keep that failed has proved nothing.
func TestKeepAfterAFailedOneNeedsTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &memory{}
	mustFail(t, Update(ctx, s, "org", func(_ []byte, keep func([]byte) error) error {
		s.fail = ErrDenied
		mustFail(t, keep([]byte("begun")), ErrDenied)
		s.fail = nil
		cancel()
		return keep([]byte("renewed"))
	}), context.Canceled)
	if got := s.value("org"); got != "" {
		t.Errorf("kept is %q", got)
	}
}

func TestKeepsHaveAnEnd(t *testing.T) {
	start := time.Now()
	var ends []time.Duration
	s := &memory{note: func(ctx context.Context) {
		end, ok := ctx.Deadline()
		if !ok {
			t.Error("a call without an end")
		}
		ends = append(ends, end.Sub(start))
	}}
	twice := func(_ []byte, keep func([]byte) error) error {
		return errors.Join(keep([]byte("1")), keep([]byte("2")))
	}
	must(t, Update(t.Context(), s, "org", twice))
	for _, end := range ends {
		if end < DefaultWait || end > DefaultWait+patience/2 {
			t.Errorf("without a deadline it may take %v", end)
		}
	}
	ends = nil
	ctx, cancel := context.WithTimeout(t.Context(), KeepTime/2)
	defer cancel()
	must(t, Update(ctx, s, "org", func(_ []byte, keep func([]byte) error) error {
		return errors.Join(keep([]byte("1")), keep([]byte("2")), keep([]byte("3")))
	}))
	if len(ends) != 4 || ends[3] != ends[2] {
		t.Errorf("a later keep may take longer than the one before it: %v", ends)
	}
	if ends[0] != ends[1] || ends[2] < KeepTime {
		t.Errorf("under %v a Get, a first and a later keep may take %v", KeepTime/2, ends)
	}
}

func TestForget(t *testing.T) {
	s := &memory{m: map[string]string{"org": "x"}}
	must(t, Forget(t.Context(), s, "org"))
	must(t, Forget(t.Context(), s, "org"))
	if got := s.value("org"); got != "" {
		t.Errorf("kept is %q", got)
	}
}

// The whole way, over a keychain: what is kept before Ctrl-C and after it.
func TestUpdateOfTheKeychain(t *testing.T) {
	needSession(t)
	if !alone(t) {
		return
	}
	realKeychain(t)
	for _, limit := range []int{0, 100} {
		k := &Keychain{Limit: limit}
		ctx, cancel := context.WithCancel(patient(t))
		must(t, Update(ctx, k, "org", func(old []byte, keep func([]byte) error) error {
			if old != nil {
				t.Errorf("nothing is %q", old)
			}
			must(t, keep([]byte(numbered(200))))
			cancel()
			return keep([]byte(numbered(300)))
		}))
		expect(t, &Keychain{}, "org", numbered(300))
		mustFail(t, Update(ctx, k, "org", noTurn(t)), context.Canceled)
		must(t, Update(patient(t), k, "org", func(_ []byte, keep func([]byte) error) error { return keep(nil) }))
		expect(t, k, "org", "")
	}
}
