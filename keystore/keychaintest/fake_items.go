package keychaintest

import (
	"slices"

	"github.com/godbus/dbus/v5"
)

func (f *Fake) searchItems(c *call) ([]any, error) {
	var wanted map[string]string
	if err := dbus.Store(c.body, &wanted); err != nil {
		return nil, err
	}
	found := f.paths(f.vault.search(wanted))
	switch {
	case f.isCollection(c.path):
		return []any{found}, nil
	case c.path == servicePath:
		return []any{found, []dbus.ObjectPath{}}, nil
	}
	return nil, noSuchObject(c)
}

func (f *Fake) getSecret(c *call) ([]any, error) {
	it := f.item(c.path)
	if it == nil {
		return nil, noSuchObject(c)
	}
	s := it.secret
	if err := dbus.Store(c.body, &s.Session); err != nil {
		return nil, err
	}
	if c.fault.Corrupt {
		s.Value = append(slices.Clone(s.Value), '~')
	}
	return []any{s}, nil
}

func (f *Fake) createItem(c *call) ([]any, error) {
	it, err := f.newItem(c)
	if err != nil {
		return nil, err
	}
	create := func() any {
		if !c.fault.Lose {
			f.vault.keep(it)
		}
		return f.itemPath(it)
	}
	if f.options.PromptCreate {
		return []any{noObject, f.vault.ask(create)}, nil
	}
	return []any{create(), noPrompt}, nil
}

func (f *Fake) newItem(c *call) (*item, error) {
	if !f.isCollection(c.path) {
		return nil, noSuchObject(c)
	}
	it := &item{id: f.vault.name()}
	var properties map[string]dbus.Variant
	var replace bool
	if err := dbus.Store(c.body, &properties, &it.secret, &replace); err != nil {
		return nil, err
	}
	it.label, _ = properties[secretPrefix+"Item.Label"].Value().(string)
	it.attributes, _ = properties[secretPrefix+"Item.Attributes"].Value().(map[string]string)
	return it, nil
}

func (f *Fake) deleteItem(c *call) ([]any, error) {
	it := f.item(c.path)
	if it == nil {
		return nil, noSuchObject(c)
	}
	remove := func() any {
		if !c.fault.Lose {
			f.vault.remove(it)
		}
		return ""
	}
	if f.options.PromptDelete {
		return []any{f.vault.ask(remove)}, nil
	}
	remove()
	return []any{noPrompt}, nil
}
