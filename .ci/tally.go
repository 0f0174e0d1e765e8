//go:build ignore

// Tally reads the events of `go test -json` on stdin, prints what failed or was skipped, and closes with
// go test's own lines and one of counts. It exits 1 when a test failed, none passed, or one was skipped that -allow
// does not name: lines of import path, test and reason.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

type event struct{ Action, ImportPath, Package, Test, Output string }

type tally struct {
	allowed                 map[string]bool
	output                  map[string]string // of what has not ended yet, by package and test
	closing                 []string
	passed, failed, skipped int
	bad                     bool
}

func main() {
	allow := flag.String("allow", "", "the skips that are no failure")
	closing := flag.String("closing", "", "the file that gets the closing lines, instead of stdout")
	flag.Parse()
	t := tally{allowed: parseAllowed(*allow), output: map[string]string{}}
	err := t.read(os.Stdin)
	if *closing == "" {
		fmt.Print(t.String())
	} else if err == nil {
		err = os.WriteFile(*closing, []byte(t.String()), 0o644)
	}
	if err != nil {
		fmt.Println(err)
	}
	if err != nil || t.bad || t.passed == 0 {
		os.Exit(1)
	}
}

func parseAllowed(text string) map[string]bool {
	allowed := map[string]bool{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 2 {
			allowed[f[0]+" "+f[1]] = true
		}
	}
	return allowed
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		t.line(line)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) line(line string) {
	var e event
	switch err := json.Unmarshal([]byte(line), &e); {
	case err != nil || e.Action == "build-output":
		fmt.Print(firstOf(e.Output, line))
	case e.Test != "":
		t.test(e)
	case e.Package != "":
		t.pkg(e)
	}
}

func (t *tally) test(e event) {
	key := e.Package + " " + e.Test
	t.output[key] += e.Output
	switch e.Action {
	case "pass":
		t.passed++
	case "fail":
		t.failed++
		t.bad = true
		fmt.Print(t.output[key])
	case "skip":
		t.skip(key)
	default:
		return
	}
	delete(t.output, key)
}

func (t *tally) skip(key string) {
	t.skipped++
	verdict := "skipped"
	if !t.allowed[key] {
		t.bad = true
		verdict = "skipped, which is not allowed"
	}
	fmt.Printf("%s: %s\n%s", verdict, key, t.output[key])
}

func (t *tally) pkg(e event) {
	if isClosing(e.Output, e.Package) {
		t.closing = append(t.closing, e.Output)
		return
	}
	t.output[e.Package] += e.Output
	if e.Action == "fail" {
		t.bad = true
		t.unfinished(e.Package)
	}
}

// unfinished prints what a package that failed as a whole left behind: when a process dies, go test ends its tests
// without a word.
func (t *tally) unfinished(pkg string) {
	for key, output := range t.output {
		if key == pkg || strings.HasPrefix(key, pkg+" ") {
			fmt.Print(output)
			delete(t.output, key)
			if key != pkg {
				t.failed++
			}
		}
	}
}

func isClosing(output, pkg string) bool {
	f := strings.Fields(output)
	return len(f) > 1 && f[1] == pkg && (f[0] == "ok" || f[0] == "FAIL" || f[0] == "?") || len(f) > 0 && f[0] == pkg
}

func (t *tally) String() string {
	return fmt.Sprintf("%s%d passed, %d failed, %d skipped\n", strings.Join(t.closing, ""), t.passed, t.failed, t.skipped)
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
