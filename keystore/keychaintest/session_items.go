package keychaintest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/godbus/dbus/v5"
)

const (
	serviceName  = "org.freedesktop.secrets"
	servicePath  = "/org/freedesktop/secrets"
	loginPath    = servicePath + "/collection/login"
	defaultPath  = servicePath + "/aliases/default"
	secretPrefix = "org.freedesktop.Secret."
	backdoor     = "org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface."
)

// ErrNotFound is returned for an item that is not in the keyring.
var ErrNotFound = errors.New("no such item in the keyring")

// A secret travels in this form, here in a plain session.
type secret struct {
	Session    dbus.ObjectPath
	Parameters []byte
	Value      []byte
	Type       string
}

// Lock locks the login collection. A program can then have it unlocked by a
// prompt only, and without a display every prompt is dismissed.
func (s *Session) Lock() error {
	return s.talk(func(c *client) error {
		var locked []dbus.ObjectPath
		var prompt dbus.ObjectPath
		return c.call(servicePath, secretPrefix+"Service.Lock", []dbus.ObjectPath{loginPath}).Store(&locked, &prompt)
	})
}

// Unlock unlocks the login collection with its password, without a prompt.
func (s *Session) Unlock() error {
	return s.talk(func(c *client) error {
		master, err := c.secret(password)
		if err != nil {
			return err
		}
		return c.call(servicePath, backdoor+"UnlockWithMasterPassword", dbus.ObjectPath(loginPath), master).Err
	})
}

// Items returns the attributes of all items of the login collection, in no order.
func (s *Session) Items() (all []map[string]string, err error) {
	err = s.talk(func(c *client) error {
		var paths []dbus.ObjectPath
		if err := c.property(loginPath, "Collection.Items", &paths); err != nil {
			return err
		}
		for _, p := range paths {
			var attributes map[string]string
			if err := c.property(p, "Item.Attributes", &attributes); err != nil {
				return err
			}
			all = append(all, attributes)
		}
		return nil
	})
	return all, err
}

// Secret returns the value of an item, or ErrNotFound.
func (s *Session) Secret(service, user string) (value string, err error) {
	err = s.talk(func(c *client) error {
		item, err := c.find(service, user)
		if err != nil {
			return err
		}
		empty, err := c.secret("")
		if err != nil {
			return err
		}
		var found secret
		err = c.call(item, secretPrefix+"Item.GetSecret", empty.Session).Store(&found)
		value = string(found.Value)
		return err
	})
	return value, err
}

// Put writes an item behind the program's back, over the one that is there.
func (s *Session) Put(service, user, value string) error {
	return s.talk(func(c *client) error {
		content, err := c.secret(value)
		if err != nil {
			return err
		}
		properties := map[string]dbus.Variant{
			secretPrefix + "Item.Label":      dbus.MakeVariant("keychaintest: " + user),
			secretPrefix + "Item.Attributes": dbus.MakeVariant(attributes(service, user)),
		}
		return c.call(loginPath, secretPrefix+"Collection.CreateItem", properties, content, true).Err
	})
}

// Remove deletes an item behind the program's back. If there is none, the error
// is ErrNotFound.
func (s *Session) Remove(service, user string) error {
	return s.talk(func(c *client) error {
		item, err := c.find(service, user)
		if err != nil {
			return err
		}
		return c.call(item, secretPrefix+"Item.Delete").Err
	})
}

// unlocked returns an error unless the login collection is there and open.
func (s *Session) unlocked() error {
	return s.talk(func(c *client) error {
		var locked bool
		if err := c.property(loginPath, "Collection.Locked", &locked); err != nil {
			return err
		}
		if locked {
			return errors.New("the new login keyring is locked")
		}
		return nil
	})
}

// attributes are those that go-keyring gives its items.
func attributes(service, user string) map[string]string {
	return map[string]string{"service": service, "username": user}
}

// A client is a connection of its own: the shared one of godbus belongs to the
// program under test.
type client struct {
	*dbus.Conn
	ctx context.Context
}

// talk lets f speak to the keyring, for as long as patience lasts. It reads
// before f may write: gnome-keyring now and then aborts when a connection
// begins with a write.
func (s *Session) talk(f func(*client) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dbus.Connect(s.Addr, dbus.WithContext(ctx))
	if err != nil {
		return err
	}
	defer conn.Close()
	c := &client{conn, ctx}
	var collections []dbus.ObjectPath
	if err := c.property(servicePath, "Service.Collections", &collections); err != nil {
		return err
	}
	return f(c)
}

func (c *client) call(path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	return c.Object(serviceName, path).CallWithContext(c.ctx, method, 0, args...)
}

func (c *client) property(path dbus.ObjectPath, name string, value any) error {
	var v dbus.Variant
	iface, name, _ := strings.Cut(name, ".")
	err := c.call(path, "org.freedesktop.DBus.Properties.Get", secretPrefix+iface, name).Store(&v)
	if err != nil {
		return err
	}
	return v.Store(value)
}

func (c *client) find(service, user string) (dbus.ObjectPath, error) {
	var items []dbus.ObjectPath
	err := c.call(loginPath, secretPrefix+"Collection.SearchItems", attributes(service, user)).Store(&items)
	if err == nil && len(items) == 0 {
		err = fmt.Errorf("%w: %s of %s", ErrNotFound, user, service)
	}
	if err != nil {
		return "", err
	}
	return items[0], nil
}

// secret returns value for a session that ends with the connection.
func (c *client) secret(value string) (secret, error) {
	var none dbus.Variant
	var session dbus.ObjectPath
	err := c.call(servicePath, secretPrefix+"Service.OpenSession", "plain", dbus.MakeVariant("")).Store(&none, &session)
	return secret{Session: session, Value: []byte(value), Type: "text/plain; charset=utf8"}, err
}
