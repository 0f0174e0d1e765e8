package keychaintest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/zalando/go-keyring"

	"sf-credential-helper/keystore/keychaintest"
)

type (
	options = keychaintest.Options
	fault   = keychaintest.Fault
	faults  = map[string]keychaintest.Fault
)

const (
	noReplyText = "Message recipient disconnected from message bus without replying"
	goneText    = "EOF" // after the name of the socket
)

// Each line is what a user of go-keyring meets, and how to arrange it.
var meetings = []struct {
	name    string
	options options
	script  string
	want    string
}{
	{"healthy", options{}, "set v set w get", "w"},
	{"nothing there", options{}, "get", keyring.ErrNotFound.Error()},
	{"deleted", options{}, "set v delete get", keyring.ErrNotFound.Error()},
	{"no login collection", options{NoLogin: true}, "set v get", "v"},
	{"no collection", options{NoDefault: true}, "get", emptyText},
	{"no service", options{NoService: true}, "get", noServiceText},

	{"locked, allowed", options{Locked: true}, "set v get", "v"},
	{"locked, cancelled", options{Locked: true, Answer: keychaintest.Dismiss}, "get", lockedText},
	{"locked, nobody there", options{Locked: true, Answer: keychaintest.Ignore}, "get", hung},
	{"bus dies in a prompt", options{Locked: true, Answer: keychaintest.Disconnect}, "get",
		"panic: runtime error: invalid memory address or nil pointer dereference"},
	{"write allowed", options{PromptCreate: true}, "set v get", "v"},
	{"write dismissed is a yes", options{PromptCreate: true, Answer: keychaintest.Dismiss}, "set v", "ok"},
	{"write not answered", options{PromptCreate: true, Answer: keychaintest.Ignore}, "set v", hung},
	{"delete allowed", options{PromptDelete: true}, "set v delete get", keyring.ErrNotFound.Error()},
	{"delete dismissed is a yes", options{PromptDelete: true, Answer: keychaintest.Dismiss}, "set v delete", "ok"},
	{"delete dismissed", options{PromptDelete: true, Answer: keychaintest.Dismiss}, "set v delete get", "v"},

	{"mute", options{MuteAuth: true}, "get", hung},
	{"mute in the call", options{Faults: faults{"SearchItems": {Hang: true}}}, "get", hung},
	{"bus dies in the call", options{Faults: faults{"SearchItems": {Drop: true}}}, "get", goneText},
	{"daemon aborts", options{Faults: faults{"CreateItem": {Err: "org.freedesktop.DBus.Error.NoReply", Text: noReplyText}}},
		"set v", noReplyText},
	{"daemon aborts once", options{On: keychaintest.Nth("Unlock", 1, fault{Err: "org.freedesktop.DBus.Error.NoReply", Text: noReplyText})},
		"get", noReplyText},
	{"disk full", options{Faults: faults{"CreateItem": {Err: "org.freedesktop.DBus.Error.Failed", Text: "Couldn't create item: Couldn't set item secret"}}},
		"set v", "Couldn't create item: Couldn't set item secret"},
	{"second write fails", options{On: keychaintest.Nth("CreateItem", 2, fault{Err: "org.freedesktop.DBus.Error.Failed", Text: "no more"})},
		"set v set w", "no more"},
	{"second write only", options{On: keychaintest.Nth("CreateItem", 2, fault{Lose: true})}, "set v set w get", "v"},
	{"lost write", options{Faults: faults{"CreateItem": {Lose: true}}}, "set v get", keyring.ErrNotFound.Error()},
	{"lost delete", options{Faults: faults{"Delete": {Lose: true}}}, "set v delete get", "v"},
	{"mangled", options{Faults: faults{"GetSecret": {Corrupt: true}}}, "set v get", "v~"},
	{"any call", options{Faults: faults{"*": {Drop: true}}}, "get", goneText},
}

func TestFakeAsMet(t *testing.T) {
	t.Parallel()
	for _, m := range meetings {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			f := startFake(t, m.options)
			if m.want == hung {
				expectHang(t, f.Env(), m.script)
			} else {
				expect(t, f.Env(), m.script, m.want)
			}
		})
	}
}

// The fake is true to gnome-keyring if go-keyring cannot tell them apart.
func TestFakeLikeTheRealOne(t *testing.T) {
	t.Parallel()
	s, f := startSession(t), startFake(t, options{})
	for _, script := range []string{"get", "set a", "set b get", "delete get", "delete"} {
		expect(t, f.Env(), script, client(t.Context(), t, s.Env(), script))
	}
	for _, path := range []dbus.ObjectPath{
		"/org/freedesktop/secrets/collection/login",
		"/org/freedesktop/secrets/aliases/default",
		"/org/freedesktop/secrets/collection/none",
	} {
		if real, fake := locked(t, s.Addr, path), locked(t, f.Addr, path); fake != real {
			t.Errorf("%s: real %v, fake %v", path, real, fake)
		}
	}
}

// locked is the property Locked of a collection: true, false, or the name of an error.
func locked(t *testing.T, addr string, path dbus.ObjectPath) any {
	t.Helper()
	conn, err := dbus.Connect(addr)
	must(t, err)
	defer conn.Close()
	v, err := conn.Object("org.freedesktop.secrets", path).GetProperty("org.freedesktop.Secret.Collection.Locked")
	if e, ok := err.(dbus.Error); ok {
		return e.Name
	}
	must(t, err)
	return v.Value()
}

func TestFakeTellsItsState(t *testing.T) {
	t.Parallel()
	f := startFake(t, options{})
	expect(t, f.Env(), "set v", "ok")
	if v, ok := f.Value(user); v != "v" || !ok || f.Len() != 1 {
		t.Errorf("%d items, value %q, %v", f.Len(), v, ok)
	}
	want := []string{"Hello", "OpenSession", "Properties.Get", "Unlock", "CreateItem", "Close"}
	if got := f.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %q", got)
	}
	if _, ok := f.Value("nobody"); ok {
		t.Error("a value for nobody")
	}
}

func TestFakeChangesItsMind(t *testing.T) {
	t.Parallel()
	f := startFake(t, options{})
	expect(t, f.Env(), "set v", "ok")
	f.SetOptions(options{Locked: true, Answer: keychaintest.Dismiss})
	expect(t, f.Env(), "get", lockedText)
	f.SetOptions(options{On: keychaintest.Nth("CreateItem", 1, fault{Drop: true})})
	expect(t, f.Env(), "set w", goneText)
	expect(t, f.Env(), "set w get", "w")
	f.SetOptions(options{NoService: true})
	expect(t, f.Env(), "get", noServiceText)
	f.SetOptions(options{})
	expect(t, f.Env(), "get", "w")
}

func TestFakeDelays(t *testing.T) {
	t.Parallel()
	const delay = 50 * time.Millisecond
	f := startFake(t, options{Faults: faults{"GetSecret": {Delay: delay}}})
	expect(t, f.Env(), "set v", "ok")
	began := time.Now()
	expect(t, f.Env(), "get", "v")
	if took := time.Since(began); took < delay {
		t.Errorf("took %v", took)
	}
}

// A socket's address holds about a hundred bytes.
func TestFakeUnderADeepTMPDIR(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("deep", 25))
	must(t, os.Mkdir(deep, 0o700))
	t.Setenv("TMPDIR", deep)
	expect(t, startFake(t, options{}).Env(), "set v get", "v")
}

// Close ends a client that hangs, and takes the socket away.
func TestFakeClose(t *testing.T) {
	t.Parallel()
	asked := make(chan string)
	f := startFake(t, options{On: func(member string, _ int) fault {
		if member == "Unlock" {
			asked <- member
			return fault{Hang: true}
		}
		return fault{}
	}})
	said := make(chan string)
	go func() { said <- client(t.Context(), t, f.Env(), "get") }()
	<-asked
	f.Close()
	f.Close()
	if got := <-said; !strings.HasSuffix(got, goneText) {
		t.Errorf("the client says %q", got)
	}
	if _, err := os.Lstat(strings.TrimPrefix(f.Addr, "unix:path=")); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}
