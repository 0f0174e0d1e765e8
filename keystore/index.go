package keystore

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// index is the names that a Keychain keeps something under, for go-keyring cannot list. It is kept
// beside them as a secret of its own, a name a line. True says that the name may have parts, also
// such as no head names; the line then ends in a star.
type index map[string]bool

const indexAccount = "~index"

func (ix index) names() []string { return slices.Sorted(maps.Keys(ix)) }

func (ix index) String() string {
	var b strings.Builder
	b.WriteString("names kept:\n") // no name itself, for it has a space; and a secret is never empty
	for _, name := range ix.names() {
		b.WriteString(name)
		if ix[name] {
			b.WriteString(" *")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// parseIndex passes over what is no name: whoever damaged the index, the names that can still be
// read are worth having.
func parseIndex(text string) index {
	ix := index{}
	for line := range strings.Lines(text) {
		name, scattered := strings.CutSuffix(strings.TrimSuffix(line, "\n"), " *")
		if CheckName(name) == nil {
			ix[name] = scattered
		}
	}
	return ix
}

func (k *Keychain) readIndex(ctx context.Context) (index, error) {
	text, _, err := k.read(ctx, indexAccount)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrDamaged) {
		return index{}, nil
	}
	return parseIndex(text), err
}

func (k *Keychain) writeIndex(ctx context.Context, ix index) error {
	_, old, err := k.read(ctx, indexAccount)
	if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrDamaged) {
		return err
	}
	if len(ix) == 0 {
		return k.remove(ctx, indexAccount, k.limit() > 0)
	}
	now, err := k.write(ctx, indexAccount, old, ix.String())
	if err != nil || k.limit() == 0 && old.slot == now.slot {
		return err // never split, not even for a name that isPlain dislikes
	}
	return k.tidy(ctx, indexAccount, now)
}

// enter puts a name into the index, whose lock the caller holds.
func (k *Keychain) enter(ctx context.Context, ix index, name string, scattered bool) error {
	if was, ok := ix[name]; ok && was == scattered {
		return nil
	}
	ix[name] = scattered
	return k.writeIndex(ctx, ix)
}

// strike takes a name out of the index, whose lock the caller holds.
func (k *Keychain) strike(ctx context.Context, ix index, name string) error {
	if _, ok := ix[name]; !ok {
		return nil
	}
	delete(ix, name)
	return k.writeIndex(ctx, ix)
}

// unlist repairs the index after a name it may have was not found: its writer died, or somebody
// deleted the item by other means. It looks again under the lock, for the writer may also be just
// about to write. To fail at this harms nobody.
func (k *Keychain) unlist(ctx context.Context, name string) {
	ix, err := k.readIndex(ctx)
	if _, listed := ix[name]; err != nil || !listed {
		return
	}
	unlock, err := lock(ctx, indexAccount)
	if err != nil {
		return
	}
	defer unlock()
	if ix, err = k.readIndex(ctx); err != nil {
		return
	}
	if _, err := k.getItem(ctx, account(name)); !errors.Is(err, ErrNotFound) {
		return
	}
	if err := k.remove(ctx, account(name), ix[name]); err == nil {
		_ = k.strike(ctx, ix, name)
	}
}
