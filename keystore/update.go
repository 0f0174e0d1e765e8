package keystore

import (
	"context"
	"errors"
	"time"
)

const (
	// DefaultWait is how long Update lasts under a context without a deadline.
	DefaultWait = 60 * time.Second
	// KeepTime is how long a keep may take, once another has succeeded, when the deadline of the
	// context comes sooner: by then something may have been spent that cannot be had again.
	KeepTime = 5 * time.Second
)

// Update lets one process at a time change what is kept under name. It waits its turn while ctx
// lasts, 60 s if it has no deadline, and returns ErrBusy (beside ctx's error) if it does not come.
// The lock goes with the process that holds it, however that ends.
//
// f gets what is kept, nil if nothing is, and keeps what it has as often as it likes; keep(nil)
// forgets. A keep that has returned nil has happened. From the first keep on ctx does not stop
// what f keeps, and later ones may take up to KeepTime beyond the deadline of ctx.
func Update(ctx context.Context, s Store, name string, f func(old []byte, keep func([]byte) error) error) error {
	if err := CheckName(name); err != nil {
		return err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	unlock, err := lock(ctx, name)
	if err != nil {
		return fault("locked", name, err)
	}
	defer unlock()
	old, err := s.Get(ctx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	k := keeper{ctx: ctx, store: s, name: name}
	return f(old, k.keep)
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, DefaultWait)
}

// Forget deletes what is kept under name, readable or not, when no Update is under way. It waits for
// that as Update does.
func Forget(ctx context.Context, s Store, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	unlock, err := lock(ctx, name)
	if err != nil {
		return fault("locked", name, err)
	}
	defer unlock()
	return s.Delete(ctx, name)
}

type keeper struct {
	ctx   context.Context
	store Store
	name  string
	begun bool
}

func (k *keeper) keep(secret []byte) error {
	if err := k.ctx.Err(); err != nil && !k.begun {
		return fault("kept", k.name, err)
	}
	ctx, cancel := k.detached()
	defer cancel()
	var err error
	if secret == nil {
		err = k.store.Delete(ctx, k.name)
	} else {
		err = k.store.Set(ctx, k.name, secret)
	}
	k.begun = k.begun || err == nil
	return err
}

// detached is a context that ends at the deadline of the caller's and not before, or for a later keep
// KeepTime after it: one end for all of them, or each of several that hang would add its own.
func (k *keeper) detached() (context.Context, context.CancelFunc) {
	end, _ := k.ctx.Deadline()
	if k.begun {
		end = end.Add(KeepTime)
	}
	return context.WithDeadline(context.WithoutCancel(k.ctx), end)
}
