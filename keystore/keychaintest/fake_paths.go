package keychaintest

import (
	"fmt"
	"path"

	"github.com/godbus/dbus/v5"
)

// collection is the path of the one collection that a Fake can have.
func (f *Fake) collection() dbus.ObjectPath {
	if f.options.NoLogin {
		return otherPath
	}
	return loginPath
}

func (f *Fake) collections() []dbus.ObjectPath {
	if f.options.NoDefault {
		return []dbus.ObjectPath{}
	}
	return []dbus.ObjectPath{f.collection()}
}

func (f *Fake) isCollection(p dbus.ObjectPath) bool {
	return p == f.collection() || p == defaultPath
}

// item returns the item at p, or nil.
func (f *Fake) item(p dbus.ObjectPath) *item {
	if path.Dir(string(p)) != string(f.collection()) {
		return nil
	}
	return f.vault.item(path.Base(string(p)))
}

func (f *Fake) itemPath(it *item) dbus.ObjectPath {
	return f.collection() + "/" + dbus.ObjectPath(it.id)
}

func (f *Fake) paths(items []*item) []dbus.ObjectPath {
	paths := []dbus.ObjectPath{}
	for _, it := range items {
		paths = append(paths, f.itemPath(it))
	}
	return paths
}

func refusal(name, text string) error {
	return dbus.Error{Name: name, Body: []any{text}}
}

func noSuchObject(c *call) error {
	return refusal(busName+".Error.UnknownMethod", fmt.Sprintf("Object does not exist at path “%s”", c.path))
}

func noSuchMethod(c *call) error {
	return refusal(busName+".Error.UnknownMethod", fmt.Sprintf("No such method '%s' in interface '%s' at object path '%s'", c.member, c.iface, c.path))
}
