package keystore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// children are what other processes do, with the keychain and the locks of the test that starts
// them. A result goes to stdout, an error to stderr.
var children = map[string]func(ctx context.Context, args []string) error{
	"get":   childGet,
	"set":   childSet,
	"write": childWrite,
	"crowd": childCrowd,
	"count": childCount,
	"hold":  childHold,
}

func runChild(name string, args []string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := children[name](ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// childGet prints what NAME has.
func childGet(ctx context.Context, args []string) error {
	secret, err := (&Keychain{}).Get(ctx, args[0])
	fmt.Print(string(secret))
	return err
}

// childSet gives NAME under LIMIT each of the lines of stdin in turn.
func childSet(ctx context.Context, args []string) error {
	k := &Keychain{Limit: number(args[1])}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := k.Set(ctx, args[0], lines.Bytes()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// childWrite writes NAME under LIMIT until it is killed, and says when it begins. Its versions are
// marked with WRITER.
func childWrite(ctx context.Context, args []string) error {
	k := &Keychain{Limit: number(args[1])}
	fmt.Println("on")
	return writeMarked(ctx, k, args[0], args[2], 1<<30)
}

// childCrowd is a share of many readers and writers of one name, and of names of their own, under
// LIMIT. Its own names begin with WHO.
func childCrowd(ctx context.Context, args []string) error {
	limit, who := number(args[0]), args[1]
	errs := make(chan error, 100)
	var wg sync.WaitGroup
	for i := range 5 {
		view, own := &Keychain{Limit: limit}, fmt.Sprint(who, "-", i)
		wg.Go(func() { errs <- writeMarked(ctx, view, "shared", own, 1) })
		wg.Go(func() { errs <- readMarked(ctx, &Keychain{Limit: limit}, "shared", 2) })
		if i < 2 {
			wg.Go(func() { errs <- writeMarked(ctx, view, own, own, 1) })
		}
	}
	wg.Wait()
	close(errs)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

// childCount adds one to the number that NAME has, N times.
func childCount(ctx context.Context, args []string) error {
	for range number(args[1]) {
		err := Update(ctx, &Keychain{}, args[0], func(old []byte, keep func([]byte) error) error {
			return keep([]byte(strconv.Itoa(number(string(old)) + 1)))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// childHold is in the middle of an Update of NAME until stdin ends, and says when it begins.
func childHold(ctx context.Context, args []string) error {
	return Update(ctx, &memory{}, args[0], func([]byte, func([]byte) error) error {
		fmt.Println("held")
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	})
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

func child(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := self(t, childEnv+"="+name)
	cmd.Args = append(cmd.Args, args...)
	cmd.Stderr = &strings.Builder{}
	return cmd
}

// run waits for a child and returns what it printed.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("%v: %v: %s", cmd.Args[1:], err, cmd.Stderr)
	}
	return string(out)
}

// begin starts a child and waits for its first line. What it returns closes the child's stdin.
func begin(t *testing.T, cmd *exec.Cmd) io.Closer {
	t.Helper()
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		cmd.Wait()
		t.Fatalf("%v: %v: %s", cmd.Args[1:], err, cmd.Stderr)
	}
	return in
}

func kill9(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	must(t, cmd.Process.Kill())
	cmd.Wait()
}

// memory is a store that is no keychain.
type memory struct {
	mu   sync.Mutex
	m    map[string]string
	fail error                 // what Set, Delete and Get answer
	note func(context.Context) // sees the context of each Set, Delete and Get
}

func (s *memory) do(ctx context.Context, f func()) error {
	if s.note != nil {
		s.note(ctx)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail == nil {
		f()
	}
	return s.fail
}

func (s *memory) Get(ctx context.Context, name string) (secret []byte, err error) {
	missing := false
	err = s.do(ctx, func() {
		if text, ok := s.m[name]; ok {
			secret = []byte(text)
		} else {
			missing = true
		}
	})
	if missing {
		err = &Error{Op: "read", Name: name, Err: ErrNotFound}
	}
	return secret, err
}

func (s *memory) Set(ctx context.Context, name string, secret []byte) error {
	return s.do(ctx, func() {
		if s.m == nil {
			s.m = map[string]string{}
		}
		s.m[name] = string(secret)
	})
}

func (s *memory) Delete(ctx context.Context, name string) error {
	return s.do(ctx, func() { delete(s.m, name) })
}

func (s *memory) List(ctx context.Context) ([]string, error) { return nil, nil }

func (s *memory) value(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.m[name]
}
