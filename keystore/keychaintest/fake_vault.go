package keychaintest

import (
	"maps"
	"slices"
	"strconv"

	"github.com/godbus/dbus/v5"
)

// A vault is what a Fake's Secret Service remembers.
type vault struct {
	locked  bool
	items   []*item
	made    int                            // items and prompts so far: they never share a name
	prompts map[dbus.ObjectPath]func() any // what to do if the user agrees, and what came of it
}

type item struct {
	id         string
	label      string
	attributes map[string]string
	secret     secret
}

func (v *vault) name() string {
	v.made++
	return strconv.Itoa(v.made)
}

// search returns the items that have all the attributes wanted, oldest first.
func (v *vault) search(wanted map[string]string) []*item {
	var found []*item
	for _, it := range v.items {
		if it.has(wanted) {
			found = append(found, it)
		}
	}
	return found
}

func (it *item) has(wanted map[string]string) bool {
	for k, w := range wanted {
		if a, ok := it.attributes[k]; !ok || a != w {
			return false
		}
	}
	return true
}

func (v *vault) item(id string) *item {
	for _, it := range v.items {
		if it.id == id {
			return it
		}
	}
	return nil
}

// keep stores it, in the place of the item with the same attributes if there is one.
func (v *vault) keep(it *item) {
	for i, old := range v.items {
		if maps.Equal(old.attributes, it.attributes) {
			it.id = old.id
			v.items[i] = it
			return
		}
	}
	v.items = append(v.items, it)
}

func (v *vault) remove(it *item) {
	v.items = slices.DeleteFunc(v.items, func(o *item) bool { return o == it })
}

// ask opens a prompt. What the user is asked for is done when he agrees.
func (v *vault) ask(deed func() any) dbus.ObjectPath {
	p := dbus.ObjectPath(servicePath + "/prompt/p" + v.name())
	v.prompts[p] = deed
	return p
}
