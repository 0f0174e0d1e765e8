package keystore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gofrs/flock"
)

// lock takes the lock of a key, waiting while ctx lasts, and returns what gives it back. It is an
// empty file that is never deleted: two processes could hold the lock of a file that was. The
// kernel frees it when its holder dies.
func lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err // nobody was asked, so nobody is busy
	}
	dir, err := lockDir()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(dir, hex.EncodeToString(sum[:16])+".lock")
	l := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		_ = l.Close()
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, &inWords{fmt.Sprintf("%v (%s)", ErrBusy, path), errors.Join(ErrBusy, err)}
		}
		return nil, err
	}
	return func() { _ = l.Close() }, nil
}

// lockDir makes the directory of the locks, in the user's own directory for state.
func lockDir() (string, error) {
	base, err := stateDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(base, Service, "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("the directory of its lock cannot be made: %w", err)
	}
	return dir, nil
}

func stateDir() (string, error) {
	if runtime.GOOS == "windows" {
		return os.UserCacheDir() // %LocalAppData%, which does not roam to other machines
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := homeDir()
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support"), err
	}
	return filepath.Join(home, ".local", "state"), err
}

// homeDir is $HOME or, where a service or a cron job has none, what the system knows of the user.
func homeDir() (string, error) {
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		return home, nil
	}
	u, err := user.Current()
	if err == nil && !filepath.IsAbs(u.HomeDir) {
		err = errors.New("the user has no home directory: set HOME")
	}
	if err != nil {
		return "", err
	}
	return u.HomeDir, nil
}
