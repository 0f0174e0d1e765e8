package keychaintest

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// A Fake is a bus and a Secret Service in one socket: as much of both as
// go-keyring and a look at the properties need, with the failures of Options. Any
// number of programs may use it at a time, and all of its methods may be called
// at any time.
type Fake struct {
	Addr string // a value for DBUS_SESSION_BUS_ADDRESS

	dir      string
	listener net.Listener
	closing  sync.Once
	closed   chan struct{}
	links    sync.WaitGroup

	mu      sync.Mutex
	options Options
	calls   []string
	counts  map[string]int // of calls since the options were set
	open    map[*link]bool
	vault   vault
}

// NewFake returns a fake without items, on a socket in a new directory.
func NewFake(o Options) (*Fake, error) {
	dir, err := tempDir()
	if err != nil {
		return nil, err
	}
	socket := filepath.Join(dir, "bus")
	l, err := net.Listen("unix", socket)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	f := &Fake{
		Addr:     "unix:path=" + dbus.EscapeBusAddressValue(socket),
		dir:      dir,
		listener: l,
		closed:   make(chan struct{}),
		open:     map[*link]bool{},
	}
	f.SetOptions(o)
	f.links.Add(1)
	go f.accept()
	return f, nil
}

// Close closes all connections and removes the directory. Closing again does
// nothing.
func (f *Fake) Close() {
	f.closing.Do(func() {
		close(f.closed)
		f.listener.Close()
		f.mu.Lock()
		for l := range f.open {
			l.conn.Close()
		}
		f.mu.Unlock()
		f.links.Wait()
		os.RemoveAll(f.dir)
	})
}

// Env returns what to append to the environment of a child, as "K=V", so that it
// sees this bus and nothing of the host's.
func (f *Fake) Env() []string { return environ(f.Addr, f.dir) }

// Setenv does to this process what Env does to a child.
func (f *Fake) Setenv() error { return setenv(f.Env()) }

// SetOptions replaces the options. They hold from the next call on; items and
// Calls stay, prompts that are open do not.
func (f *Fake) SetOptions(o Options) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.options = o
	f.counts = map[string]int{}
	f.vault.locked = o.Locked
	f.vault.prompts = map[dbus.ObjectPath]func() any{}
}

// Calls returns the members called so far, in order, those of the bus itself
// included ("Hello"). Reading a property is "Properties.Get".
func (f *Fake) Calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Len returns the number of items.
func (f *Fake) Len() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.vault.items)
}

// Value returns what is stored for user, of whatever service, and whether
// anything is.
func (f *Fake) Value(user string) (string, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.vault.search(map[string]string{"username": user})
	if len(found) == 0 {
		return "", false
	}
	return string(found[0].secret.Value), true
}

func (f *Fake) accept() {
	defer f.links.Done()
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.links.Add(1)
		go f.serve(conn)
	}
}

func (f *Fake) serve(conn net.Conn) {
	defer f.links.Done()
	defer conn.Close()
	l := newLink(f, conn)
	if !f.enter(l) {
		return
	}
	defer f.leave(l)
	l.serve()
}

// enter reports false if Close has been here already.
func (f *Fake) enter(l *link) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	select {
	case <-f.closed:
		return false
	default:
		f.open[l] = true
		return true
	}
}

func (f *Fake) leave(l *link) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, l)
}

// record notes a call and returns what strikes it.
func (f *Fake) record(member string) Fault {
	f.mu.Lock()
	f.calls = append(f.calls, member)
	f.counts[member]++
	n, o := f.counts[member], f.options
	f.mu.Unlock()
	fault := o.Faults["*"].and(o.Faults[member])
	if o.On != nil {
		fault = fault.and(o.On(member, n))
	}
	return fault
}
