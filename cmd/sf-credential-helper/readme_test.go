package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeCycle runs the README's request, report and repeat, as it stands there.
func TestReadmeCycle(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	w := newWorld(t)
	for _, ended := range []bool{false, true} {
		if ended {
			// The script has its token by now; the org ends it before the query.
			w.shell(strings.Replace(w.recipe("query()"), "\nquery /", "\nend_all\nquery /", 1))
		} else {
			w.shell(w.recipe("query()"))
		}
	}
	if got := w.org.TokenRequests(); got != 1 {
		t.Errorf("%d token requests", got)
	}
}

// recipe is the block of the README that has a text in it.
func (w *world) recipe(text string) string {
	w.Helper()
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```(?:ba)?sh\n(.*?)```").FindAllStringSubmatch(string(data), -1) {
		if strings.Contains(m[1], text) {
			return m[1]
		}
	}
	w.Fatalf("the README has no recipe with %q", text)
	return ""
}

// shell runs a script by bash, with the program in its path and end_all, which ends the token in hand.
func (w *world) shell(script string) {
	w.Helper()
	dir := w.TempDir()
	exe, err := filepath.Abs(os.Args[0])
	if err != nil {
		w.Fatal(err)
	}
	if err := os.Symlink(exe, filepath.Join(dir, "sf-credential-helper")); err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), "bash", "-c", endAll+script)
	cmd.Dir = dir
	cmd.Env = append(w.env, "PATH="+dir+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "{") && !strings.Contains(string(out), "[") {
		w.Errorf("%v: %s", err, out)
	}
}

const endAll = `end_all() {
	printf 'header = "Authorization: Bearer %s"\n' "$SF_ACCESS_TOKEN" |
		curl -sS -K - -d "token=$SF_ACCESS_TOKEN" "$SF_ORG_INSTANCE_URL/services/oauth2/revoke"
}
`
