package keystore

import (
	"cmp"
	"context"
	"errors"
	"runtime"
	"sync"
)

// Service is the name under which the keychain shows what a [Keychain] keeps. It has no colon:
// Windows joins service and account with one.
const Service = "sf-credential-helper"

// Keychain is the store of the operating system, through go-keyring: macOS's login keychain, the
// Windows Credential Manager, and elsewhere the Secret Service. The zero value is ready for use.
//
// A secret is one item, whose account is the name and whose value is the secret as it is. Only what
// the platform cannot hold in one item is split over several.
type Keychain struct {
	// Limit is the most bytes that an item may hold; 0 is the platform's own limit.
	Limit int

	mu   sync.Mutex
	seen map[string]glimpse // of the items this process has read or written, as they were then
}

// Get returns the secret kept under name.
func (k *Keychain) Get(ctx context.Context, name string) ([]byte, error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	text, _, err := k.read(ctx, account(name))
	if errors.Is(err, ErrNotFound) {
		k.unlist(ctx, name)
	}
	if err != nil {
		return nil, fault("read", name, err)
	}
	return []byte(text), nil
}

// Set keeps the secret under name. What was written is read back, for some keychains say yes and
// keep nothing. An equal secret is not written again, for some ask a person about every write; that
// it is listed is then made sure of, for which a renewal, with two writes, would be too slow.
func (k *Keychain) Set(ctx context.Context, name string, secret []byte) error {
	if err := cmp.Or(CheckName(name), checkSecret(secret)); err != nil {
		return err
	}
	unlock, err := lockItem(ctx, name)
	if err != nil {
		return fault("kept", name, err)
	}
	defer unlock()
	if k.limit() == 0 && isPlain(string(secret), 0) {
		done, err := k.overwrite(ctx, name, string(secret))
		if done || err != nil {
			return fault("kept", name, err)
		}
	}
	return fault("kept", name, k.set(ctx, name, string(secret)))
}

// Delete forgets what is kept under name.
func (k *Keychain) Delete(ctx context.Context, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	unlock, err := lockItem(ctx, name)
	if err != nil {
		return fault("forgotten", name, err)
	}
	defer unlock()
	return fault("forgotten", name, k.delete(ctx, name))
}

// List returns the names under which something is kept, out of the store's own index.
func (k *Keychain) List(ctx context.Context) ([]string, error) {
	ix, err := k.readIndex(ctx)
	if err != nil {
		return nil, fault("listed", "", err)
	}
	return ix.names(), nil
}

// lockItem admits one writer of a name at a time. Without it one would read back what another has
// just written, and take it for a refusal. Update's lock is another: its Sets come here too.
func lockItem(ctx context.Context, name string) (unlock func(), err error) {
	return lock(ctx, "item "+name)
}

// overwrite replaces one plain item by another, which every keychain does in one step and which
// does not need the lock of the index, that somebody else may hold for long. It is not done where
// there is nothing, or something split, to replace, nor where the index is to be put right.
func (k *Keychain) overwrite(ctx context.Context, name, text string) (done bool, err error) {
	old, ok := k.lastSeen(account(name))
	if !ok || old.is(text) {
		text, err := k.getItem(ctx, account(name))
		if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
			return false, nil
		} else if err != nil {
			return false, err
		}
		old = glance(text)
	}
	if old.head {
		return false, nil
	}
	if old.is(text) {
		ix, err := k.readIndex(ctx)
		scattered, listed := ix[name]
		return listed && !scattered, err
	}
	return true, k.putItem(ctx, account(name), text)
}

// set is Set for a name that is new, or whose secret was split or will be. A name is in the index
// before its item is in the keychain and until after it is gone, so that whoever dies in between
// leaves an entry too many, which shows when it is read, and never an item that nobody knows of.
func (k *Keychain) set(ctx context.Context, name, text string) error {
	unlock, err := lock(ctx, indexAccount)
	if err != nil {
		return err
	}
	defer unlock()
	old, now, err := k.read(ctx, account(name))
	damaged := errors.Is(err, ErrDamaged)
	if err != nil && !errors.Is(err, ErrNotFound) && !damaged {
		return err
	}
	ix, err := k.readIndex(ctx)
	if err != nil {
		return err
	}
	plain := isPlain(text, k.limit())
	scattered := ix[name] || now.slot != "" || damaged || !plain
	if err := k.enter(ctx, ix, name, scattered); err != nil {
		return err
	}
	if old != text {
		if now, err = k.write(ctx, account(name), now, text); err != nil {
			return err
		}
	}
	if !scattered {
		return nil
	}
	if err := k.tidy(ctx, account(name), now); err != nil {
		return err
	}
	return k.enter(ctx, ix, name, !plain)
}

func (k *Keychain) delete(ctx context.Context, name string) error {
	unlock, err := lock(ctx, indexAccount)
	if err != nil {
		return err
	}
	defer unlock()
	ix, err := k.readIndex(ctx)
	if err != nil {
		return err
	}
	if err := k.remove(ctx, account(name), ix[name]); err != nil {
		return err
	}
	return k.strike(ctx, ix, name)
}

// limit is the most bytes that an item holds, or 0 if that is more than MaxSecret.
func (k *Keychain) limit() int {
	if k.Limit > 0 {
		return k.Limit
	}
	return itemLimit(runtime.GOOS)
}

func itemLimit(goos string) int {
	switch goos {
	case "windows":
		return 2560 // CRED_MAX_CREDENTIAL_BLOB_SIZE
	case "darwin":
		// go-keyring hands /usr/bin/security one line of less than 4,096 bytes, in which the secret
		// is base64 beside names of ours of up to 200.
		return 2700
	}
	return 0
}
