package keychaintest

import "time"

// Options say how a Fake behaves. The zero value is a healthy, unlocked
// gnome-keyring.
type Options struct {
	NoService bool // a bus without org.freedesktop.secrets
	NoLogin   bool // no collection "login", only an alias "default" (KeePassXC, KWallet)
	NoDefault bool // no collection at all: nobody has logged in yet
	MuteAuth  bool // the bus accepts connections and never says a word

	Locked       bool   // Unlock asks, until it was allowed once
	PromptCreate bool   // CreateItem asks (KeePassXC)
	PromptDelete bool   // Delete asks (KeePassXC)
	Answer       Answer // what the user says to all of that

	// Faults strike every call of a member, "*" all calls. A member is named as
	// Fake.Calls names it.
	Faults map[string]Fault

	// On, if set, is asked about each call, the nth of its member since these
	// options were set, counted from 1. Its answer adds to Faults. It may be called
	// from several goroutines, and may use the Fake.
	On func(member string, n int) Fault
}

// An Answer is what becomes of a prompt.
type Answer int

const (
	Allow      Answer = iota // the user agrees
	Dismiss                  // the user cancels, or there is no display
	Ignore                   // nobody is at the screen
	Disconnect               // the bus dies while the prompt is open
)

// A Fault strikes one call. The zero value is none.
type Fault struct {
	Delay   time.Duration // first of all, this much time passes
	Hang    bool          // there is no reply, ever
	Drop    bool          // the connection closes, without a reply
	Err     string        // the reply is this D-Bus error, and nothing is done
	Text    string        // what the error says
	Lose    bool          // CreateItem and Delete say yes and do nothing
	Corrupt bool          // GetSecret gives another value than was stored
}

// Nth makes a hook for Options.On: f strikes the nth call of member, no other.
func Nth(member string, n int, f Fault) func(string, int) Fault {
	return func(m string, i int) Fault {
		if m == member && i == n {
			return f
		}
		return Fault{}
	}
}

func (f Fault) and(g Fault) Fault {
	f.Delay += g.Delay
	f.Hang = f.Hang || g.Hang
	f.Drop = f.Drop || g.Drop
	f.Lose = f.Lose || g.Lose
	f.Corrupt = f.Corrupt || g.Corrupt
	if g.Err != "" {
		f.Err, f.Text = g.Err, g.Text
	}
	return f
}
