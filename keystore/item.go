package keystore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// account is the keychain's name for one of ours. Windows folds case, so the letters that are
// upper case are told again behind a ^, which no name has: one bit for each letter, in hex.
func account(name string) string {
	var bits strings.Builder
	nibble, n := 0, 0
	for _, c := range name {
		if !isLetter(c) {
			continue
		}
		nibble <<= 1
		if c <= 'Z' {
			nibble |= 1
		}
		if n++; n%4 == 0 {
			bits.WriteString(strconv.FormatInt(int64(nibble), 16))
			nibble = 0
		}
	}
	if n%4 != 0 {
		bits.WriteString(strconv.FormatInt(int64(nibble), 16))
	}
	if strings.Trim(bits.String(), "0") == "" {
		return name
	}
	return name + "^" + bits.String()
}

// getItem, putItem and dropItem are one item each; what they did is proved by looking again.
func (k *Keychain) getItem(ctx context.Context, account string) (string, error) {
	text, err := getItem(ctx, Service, account)
	if err == nil {
		err = checkAnswer(text)
	}
	if err != nil {
		k.forgetSeen(account)
		return "", err
	}
	k.note(account, text)
	return text, nil
}

func (k *Keychain) putItem(ctx context.Context, account, text string) error {
	k.forgetSeen(account)
	if err := setItem(ctx, Service, account, text); err != nil {
		return err
	}
	kept, err := getItem(ctx, Service, account)
	if err == nil && kept != text || errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: it did not keep what was written (was its prompt dismissed?)", ErrDenied)
	}
	if err == nil {
		k.note(account, text)
	}
	return err
}

func (k *Keychain) dropItem(ctx context.Context, account string) error {
	k.forgetSeen(account)
	if err := deleteItem(ctx, Service, account); errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := getItem(ctx, Service, account); errors.Is(err, ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	return fmt.Errorf("%w: the item is still there (was its prompt dismissed?)", ErrDenied)
}

// glimpse is what a process remembers of an item: not the secret, but how to tell it again.
type glimpse struct {
	sum  string
	head bool
}

func glance(text string) glimpse { return glimpse{checksum(text), isHead(text)} }

func (g glimpse) is(text string) bool { return g.sum == checksum(text) }

func (k *Keychain) lastSeen(account string) (glimpse, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	g, ok := k.seen[account]
	return g, ok
}

func (k *Keychain) note(account, text string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = map[string]glimpse{}
	}
	k.seen[account] = glance(text)
}

func (k *Keychain) forgetSeen(account string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.seen, account)
}
