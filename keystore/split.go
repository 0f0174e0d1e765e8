package keystore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A secret too large for one item lies in parts, and the item of its own account, the head, says
// where they are and what they add up to. Two slots take turns: a new version goes into the slot
// that the head does not name, part by part, and exists from the moment the head is replaced, in
// one step, to name it. A reader believes only what matches the head's checksum. Parts are written
// in order and swept from the last to the first, so that those of a writer that died are always
// the first few of their slot, and the next one finds them all.
type head struct {
	slot  string // "a" or "b"; empty: no parts, the secret is the item itself
	parts int
	sum   string // SHA-256 of the secret, in hex
}

const headMark = "sf-credential-helper split 1 "

// isPlain reports whether a text may be kept as it is: it fits into one item and cannot be taken
// for a head, nor for an answer that checkAnswer refuses.
func isPlain(text string, limit int) bool {
	return (limit == 0 || len(text) <= limit) && !isHead(text) && !strings.Contains(text, encoded)
}

func isHead(text string) bool { return strings.HasPrefix(text, headMark) }

func (h head) String() string { return fmt.Sprintf("%s%s %d %s", headMark, h.slot, h.parts, h.sum) }

func parseHead(text string) (h head, err error) {
	n, err := fmt.Sscanf(text, headMark+"%s %d %s", &h.slot, &h.parts, &h.sum)
	if err != nil || n != 3 || h.other() == "" || h.parts < 1 || h.parts > MaxSecret || text != h.String() {
		return head{}, ErrDamaged
	}
	return h, nil
}

func (h head) other() string {
	switch h.slot {
	case "a", "":
		return "b"
	case "b":
		return "a"
	}
	return ""
}

func part(account, slot string, i int) string { return fmt.Sprintf("%s~%s%d", account, slot, i) }

// read returns what is kept under an account, and its head. Where the parts do not match the head,
// a writer was faster, so it looks again; if the head then is the same several times, it is damage.
func (k *Keychain) read(ctx context.Context, account string) (string, head, error) {
	last, same := "", 0
	for {
		text, err := k.getItem(ctx, account)
		if err != nil || !isHead(text) {
			return text, head{}, err
		}
		h, err := parseHead(text)
		if err != nil {
			return "", head{}, err
		}
		secret, err := k.join(ctx, account, h)
		if !errors.Is(err, ErrDamaged) {
			return secret, h, err
		}
		if text != last {
			last, same = text, 0
		}
		if same++; same == 4 {
			return "", h, err
		}
		if err := pause(ctx, time.Duration(same)*5*time.Millisecond); err != nil {
			return "", head{}, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// join reads the parts that h names.
func (k *Keychain) join(ctx context.Context, account string, h head) (string, error) {
	var b strings.Builder
	for i := range h.parts {
		text, err := getItem(ctx, Service, part(account, h.slot, i))
		if errors.Is(err, ErrNotFound) {
			return "", ErrDamaged
		} else if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	if checksum(b.String()) != h.sum {
		return "", ErrDamaged
	}
	return b.String(), nil
}

func checksum(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// write keeps text under an account whose head is old, and returns its new one. It leaves the parts
// of the old one to tidy.
func (k *Keychain) write(ctx context.Context, account string, old head, text string) (head, error) {
	if isPlain(text, k.limit()) {
		return head{}, k.putItem(ctx, account, text)
	}
	h := head{slot: old.other(), sum: checksum(text)}
	for rest := text; rest != ""; h.parts++ {
		n := cut(rest, k.limit())
		if err := k.putItem(ctx, part(account, h.slot, h.parts), rest[:n]); err != nil {
			return head{}, err
		}
		rest = rest[n:]
	}
	if err := k.sweep(ctx, account, h.slot, h.parts); err != nil {
		return head{}, err
	}
	return h, k.putItem(ctx, account, h.String())
}

// tidy sweeps the parts that an account may have and its head does not name.
func (k *Keychain) tidy(ctx context.Context, account string, now head) error {
	for _, slot := range []string{"a", "b"} {
		if slot == now.slot {
			continue
		}
		if err := k.sweep(ctx, account, slot, 0); err != nil {
			return err
		}
	}
	return nil
}

// cut returns how much of text, at least one character, goes into the next part.
func cut(text string, limit int) int {
	if limit <= 0 || len(text) <= limit {
		return len(text)
	}
	n := limit
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(text)
	}
	return n
}

// sweep deletes the parts of a slot from the one numbered from on.
func (k *Keychain) sweep(ctx context.Context, account, slot string, from int) error {
	n := from
	for ; ; n++ {
		if _, err := getItem(ctx, Service, part(account, slot, n)); errors.Is(err, ErrNotFound) {
			break
		} else if err != nil {
			return err
		}
	}
	for n--; n >= from; n-- {
		if err := k.dropItem(ctx, part(account, slot, n)); err != nil {
			return err
		}
	}
	return nil
}

// remove forgets an account: the head first, with which the secret is gone, then its parts.
func (k *Keychain) remove(ctx context.Context, account string, scattered bool) error {
	text, err := getItem(ctx, Service, account) // whatever it is: checkAnswer is for what is believed
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err := k.dropItem(ctx, account); err != nil {
		return err
	}
	if !scattered && !isHead(text) {
		return nil
	}
	return k.tidy(ctx, account, head{})
}
