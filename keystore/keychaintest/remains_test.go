package keychaintest_test

import (
	"bufio"
	"bytes"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"sf-credential-helper/keystore/keychaintest"
)

func TestCloseLeavesNothing(t *testing.T) {
	t.Parallel()
	s := startSession(t)
	if n := len(processes(t, s.Dir)); n != 3 {
		t.Errorf("%d processes: a bus, a keyring and a sweeper expected", n)
	}
	must(t, s.Stop())
	s.Close()
	s.Close()
	if left := remains(t, s.Dir); left != nil {
		t.Errorf("left behind: %q", left)
	}
}

func TestKilledOwnerLeavesNothing(t *testing.T) {
	t.Parallel()
	if m := keychaintest.Missing(); m != "" {
		t.Skip(m)
	}
	owner := self(t.Context(), t, nil, "own")
	out, err := owner.StdoutPipe()
	must(t, err)
	must(t, owner.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	must(t, err)
	dir := strings.TrimSpace(line)
	if remains(t, dir) == nil {
		t.Fatalf("no session in %s", dir)
	}
	must(t, owner.Process.Kill())
	owner.Wait()
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if left = remains(t, dir); left == nil {
			return
		}
	}
	t.Errorf("left behind: %q", left)
}

// remains lists what there is of a session: its directory and its processes.
func remains(t *testing.T, dir string) []string {
	left := processes(t, dir)
	if _, err := os.Lstat(dir); err == nil {
		left = append(left, dir)
	}
	return left
}

// processes lists the directories in /proc of those that have dir in their
// arguments or environment.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	found := map[string]bool{}
	for _, p := range all {
		for _, file := range []string{"cmdline", "environ"} {
			if text, _ := os.ReadFile(filepath.Join(p, file)); bytes.Contains(text, []byte(dir)) {
				found[p] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func TestMissingNamesWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	m := keychaintest.Missing()
	if runtime.GOOS == "linux" && !strings.Contains(m, "dbus-daemon, gnome-keyring-daemon (apt-get install ") {
		t.Errorf("Missing: %q", m)
	}
	if _, err := keychaintest.Start(); err == nil || err.Error() != m {
		t.Errorf("Start: %v", err)
	}
}

// A start that fails says why, in the daemon's words, and leaves nothing.
func TestStartFails(t *testing.T) {
	for program, script := range map[string]string{
		"dbus-daemon":          "echo no bus today >&2; exit 1",
		"gnome-keyring-daemon": "cat >/dev/null; echo no keys today >&2; exit 1",
	} {
		t.Run(program, func(t *testing.T) {
			if m := keychaintest.Missing(); m != "" {
				t.Skip(m)
			}
			bin, tmp := programs(t), t.TempDir()
			must(t, os.Remove(filepath.Join(bin, program)))
			must(t, os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\nPATH=/bin:/usr/bin\n"+script), 0o700))
			t.Setenv("PATH", bin)
			t.Setenv("TMPDIR", tmp)
			_, err := keychaintest.Start()
			if err == nil || !strings.Contains(err.Error(), "today") {
				t.Errorf("Start: %v", err)
			}
			if left, _ := os.ReadDir(tmp); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// programs returns a directory for PATH that has the two daemons and nothing else.
func programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, p := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		installed, err := exec.LookPath(p)
		must(t, err)
		must(t, os.Symlink(installed, filepath.Join(dir, p)))
	}
	return dir
}
