package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"sf-credential-helper/refresh/orgtest"
)

// TestFiftyReportAtOnce: 50 processes report the same token, the org rotates refresh tokens, and
// there is one request, one answer for all, and the login is alive. Twenty times over.
func TestFiftyReportAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range rounds(20) {
		token := w.must("", "get")
		w.org.End(token)
		w.crowd(50, token+"\n", "get", "--rejected")
		w.logIn() // or the rule against loops would end this
	}
}

// TestFiftyRefreshAtOnce: those that waited for --refresh take what the first one got.
func TestFiftyRefreshAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range rounds(5) {
		w.crowd(50, "", "get", "--refresh")
	}
}

// rounds is n, or 1 under -short.
func rounds(n int) int {
	if testing.Short() {
		return 1
	}
	return n
}

// crowd starts n calls while the org holds its answer, waits until all have looked at what is kept,
// lets the org answer, and checks that there was one request and that all got one token.
func (w *world) crowd(n int, stdin string, args ...string) {
	w.Helper()
	before := w.org.TokenRequests()
	reads := w.reads()
	release := w.org.Hold()
	defer release()
	outs := make([]bytes.Buffer, n)
	cmds := make([]*exec.Cmd, n)
	for i := range cmds {
		cmds[i] = w.command(stdin, args...)
		cmds[i].Stdout, cmds[i].Stderr = &outs[i], os.Stderr
		if err := cmds[i].Start(); err != nil {
			w.Fatal(err)
		}
	}
	w.await(before + 1)
	w.awaitReads(reads, n+2) // a look each; one of them looked again, and read back its note
	release()
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			w.Errorf("process %d: %v", i, err)
		}
		if outs[i].String() != outs[0].String() || outs[i].Len() == 0 {
			w.Errorf("process %d printed another token than the first", i)
		}
	}
	if got := w.org.TokenRequests() - before; got != 1 {
		w.Errorf("%d token requests", got)
	}
	if !w.alive() {
		w.Error("the login is dead")
	}
}

func (w *world) await(n int) {
	w.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.org.Await(ctx, n); err != nil {
		w.Fatal(err)
	}
}

// reads counts how often a secret is read from the keychain, by whomever, from now on.
func (w *world) reads() <-chan *dbus.Message {
	w.Helper()
	conn, err := dbus.Connect(w.keychain.Addr)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = conn.Close() })
	seen := make(chan *dbus.Message, 1000)
	match := []string{"type='method_call',member='GetSecret'"}
	if err := conn.BusObject().Call("org.freedesktop.DBus.Monitoring.BecomeMonitor", 0, match, uint32(0)).Err; err != nil {
		w.Fatal(err)
	}
	conn.Eavesdrop(seen)
	return seen
}

func (w *world) awaitReads(reads <-chan *dbus.Message, n int) {
	w.Helper()
	late := time.After(time.Minute)
	for i := range n {
		select {
		case <-reads:
		case <-late:
			w.Fatalf("the keychain was read %d times, not %d", i, n)
		}
	}
}

// TestKilledBeforeTheOrgActs: kill -9 while the request is on its way costs nothing.
func TestKilledBeforeTheOrgActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.org.Queue(orgtest.Reply{Hang: true})
	cmd := w.command("", "get", "--refresh")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.await(1)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if !w.alive() {
		t.Error("the login is dead")
	}
	w.must("", "get", "--refresh")
}

// TestKilledAfterTheOrgActed: kill -9 between the org's answer and the end of the write is the one
// moment in which a rotating login is lost, and the next refusal says what happened, and when.
func TestKilledAfterTheOrgActed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	acted, gone := make(chan bool), make(chan bool)
	w.org.Queue(orgtest.Reply{After: func() { close(acted); <-gone }})
	cmd := w.command("", "get", "--refresh")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-acted
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	close(gone)
	out := w.run("", "get", "--refresh")
	if out.status != 3 || !strings.Contains(out.stderr, "a renewal that began on") || out.stdout != "" {
		t.Errorf("exit status %d, %q", out.status, out.stderr)
	}
}
