package keychaintest

import "github.com/godbus/dbus/v5"

const (
	otherPath = servicePath + "/collection/other"
	noPrompt  = dbus.ObjectPath("/")
	noObject  = dbus.ObjectPath("/")
)

// members are what the Secret Service can do. They run with the fake locked.
var members = map[string]func(*Fake, *call) ([]any, error){
	"Properties.Get": (*Fake).property,
	"OpenSession":    (*Fake).openSession,
	"Close":          (*Fake).closeSession,
	"ReadAlias":      (*Fake).readAlias,
	"Unlock":         (*Fake).unlock,
	"Prompt":         (*Fake).prompt,
	"SearchItems":    (*Fake).searchItems,
	"GetSecret":      (*Fake).getSecret,
	"CreateItem":     (*Fake).createItem,
	"Delete":         (*Fake).deleteItem,
}

// answer does what c asks for, unless its fault or the options forbid it.
func (f *Fake) answer(c *call) ([]any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.fault.Err != "" {
		return nil, refusal(c.fault.Err, c.fault.Text)
	}
	if c.to == busName {
		return f.bus(c)
	}
	if c.to != serviceName || f.options.NoService {
		return nil, refusal(busName+".Error.ServiceUnknown", "The name "+c.to+" was not provided by any .service files")
	}
	if f.options.NoDefault && f.isCollection(c.path) {
		return nil, noSuchObject(c)
	}
	if do := members[c.member]; do != nil {
		return do(f, c)
	}
	return nil, noSuchMethod(c)
}

// bus answers what is asked of the bus itself. To watch for signals needs no
// more than a yes: those there are go to who asked for the prompt.
func (f *Fake) bus(c *call) ([]any, error) {
	switch c.member {
	case "Hello":
		return []any{":1.1"}, nil
	case "NameHasOwner":
		return []any{!f.options.NoService}, nil
	case "AddMatch", "RemoveMatch":
		return nil, nil
	}
	return nil, noSuchMethod(c)
}

func (f *Fake) property(c *call) ([]any, error) {
	var iface, name string
	if err := dbus.Store(c.body, &iface, &name); err != nil {
		return nil, err
	}
	it := f.item(c.path)
	var v any
	switch {
	case c.path == servicePath && name == "Collections":
		v = f.collections()
	case f.isCollection(c.path) && name == "Items":
		v = f.paths(f.vault.items)
	case (f.isCollection(c.path) || it != nil) && name == "Locked":
		v = f.vault.locked
	case it != nil && name == "Attributes":
		v = it.attributes
	case it != nil && name == "Label":
		v = it.label
	default:
		return nil, noSuchObject(c)
	}
	return []any{dbus.MakeVariant(v)}, nil
}

func (f *Fake) openSession(*call) ([]any, error) {
	return []any{dbus.MakeVariant(""), dbus.ObjectPath(servicePath + "/session/s1")}, nil
}

func (f *Fake) closeSession(*call) ([]any, error) { return nil, nil }

func (f *Fake) readAlias(*call) ([]any, error) {
	if f.options.NoDefault {
		return []any{noObject}, nil
	}
	return []any{f.collection()}, nil
}

// unlock answers for what there is only, and by the collection's own name if it
// was asked by the alias.
func (f *Fake) unlock(c *call) ([]any, error) {
	var wanted []dbus.ObjectPath
	if err := dbus.Store(c.body, &wanted); err != nil {
		return nil, err
	}
	here := []dbus.ObjectPath{}
	for _, p := range wanted {
		if f.isCollection(p) && !f.options.NoDefault {
			here = append(here, f.collection())
		} else if f.item(p) != nil {
			here = append(here, p)
		}
	}
	if !f.vault.locked || len(here) == 0 {
		return []any{here, noPrompt}, nil
	}
	return []any{[]dbus.ObjectPath{}, f.vault.ask(func() any {
		f.vault.locked = false
		return here
	})}, nil
}

// prompt replies at once; what the user does comes after it.
func (f *Fake) prompt(c *call) ([]any, error) {
	deed := f.vault.prompts[c.path]
	if deed == nil {
		return nil, noSuchObject(c)
	}
	switch f.options.Answer {
	case Allow:
		delete(f.vault.prompts, c.path)
		result := deed()
		c.after = func(l *link) error { return l.completed(c.path, false, result) }
	case Dismiss:
		delete(f.vault.prompts, c.path)
		c.after = func(l *link) error { return l.completed(c.path, true, "") }
	case Disconnect:
		c.after = func(*link) error { return errDrop }
	}
	return nil, nil
}
