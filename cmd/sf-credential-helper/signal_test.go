//go:build unix

package main

import (
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

// TestSignalsLoseNothing: Ctrl-C and its like at random moments of a renewal, 200 times, with
// rotation on. The login is alive after each.
func TestSignalsLoseNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	life := w.lifeOfARenewal()
	signals := []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}
	for i := range 10 * rounds(20) {
		cmd := w.interrupt(signals[i%len(signals)], rand.N(life))
		if !w.alive() {
			t.Fatalf("signal %d: the login is dead", i)
		}
		if s := cmd.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() && s.Signal() == syscall.SIGPIPE {
			// The Go runtime takes a moment to be ready for it; before that nothing has begun.
			continue
		}
	}
	w.must("", "get", "--refresh")
}

// TestASignalDuringTheRequest: the request is on its way when the signal comes. The renewal is kept,
// nothing is printed, and the process dies of the signal, as a shell expects.
func TestASignalDuringTheRequest(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			release := w.org.Hold()
			var stdout, stderr output
			cmd := w.command("", "get", "--refresh")
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w.await(1)
			_ = cmd.Process.Signal(s)
			w.awaitText(&stderr, "stopping, once the renewal")
			release()
			_ = cmd.Wait()
			if !w.alive() {
				t.Error("the login is dead")
			}
			if stdout.String() != "" {
				t.Error("something was printed")
			}
			if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != s {
				t.Errorf("it ended with %v", cmd.ProcessState)
			}
		})
	}
}

// output is a buffer that can be looked at while it fills.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (w *world) awaitText(o *output, text string) {
	w.Helper()
	for end := time.Now().Add(time.Minute); !strings.Contains(o.String(), text); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("no %q in %q", text, o.String())
		}
	}
}

// TestASecondSignalIsObeyed, once the first has been answered with what it may cost.
func TestASecondSignalIsObeyed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Queue(orgtest.Reply{Hang: true})
	var stderr output
	cmd := w.command("", "get", "--refresh", "--timeout", "10m")
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.await(1)
	_ = cmd.Process.Signal(syscall.SIGINT)
	w.awaitText(&stderr, "that may cost the login\n")
	_ = cmd.Process.Signal(syscall.SIGINT)
	defer time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() }).Stop()
	_ = cmd.Wait()
	if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGINT {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
	if !w.alive() {
		t.Error("the org had not acted, and the login is dead")
	}
}

// TestKillsTearNothing: kill -9 at random moments. What is kept can always be read, and is alive
// unless the org had already answered.
func TestKillsTearNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	life, lost := w.lifeOfARenewal(), 0
	for i := range 10 * rounds(20) {
		before := w.org.TokenRequests()
		w.interrupt(syscall.SIGKILL, rand.N(life))
		var record map[string]any
		if err := json.Unmarshal([]byte(w.kept()), &record); err != nil || record["access_token"] == "" {
			t.Fatalf("kill %d: what is kept is torn", i)
		}
		if w.alive() {
			continue
		}
		if w.org.TokenRequests() == before {
			t.Fatalf("kill %d: the login is dead, and the org was not asked", i)
		}
		lost++
		w.logIn()
	}
	t.Logf("%d of %d kills fell between the org's answer and the end of the write; a renewal takes %v here", lost, 10*rounds(20), life)
}

// lifeOfARenewal is how long a renewal takes on this machine, now, and a bit more.
func (w *world) lifeOfARenewal() time.Duration {
	start := time.Now()
	for range 5 {
		w.must("", "get", "--refresh")
	}
	return time.Since(start) / 4
}

// interrupt starts a renewal and sends it a signal after a while.
func (w *world) interrupt(s syscall.Signal, after time.Duration) *exec.Cmd {
	w.Helper()
	cmd := w.command("", "get", "--refresh")
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	time.Sleep(after) // a random moment is what is tested
	_ = cmd.Process.Signal(s)
	_ = cmd.Wait()
	return cmd
}
