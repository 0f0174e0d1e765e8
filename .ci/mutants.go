//go:build ignore

// Mutants breaks the program on purpose, one small way at a time, and demands that the test named beside each way fails.
//
//	go run .ci/mutants.go [-v] [-only substring] [-j 2] [-limit 120s]
//
// It runs at the repository root and leaves the tree alone. Each file in .ci/mutants is a mutant:
//
//	why: without the lock two processes renew at once
//	file: keystore/update.go
//	test: ./cmd/sf-credential-helper TestScripts/fifty
//	-- from
//		text that stands exactly once in the file
//	-- to
//		what replaces it, or nothing
//
// More pairs may follow. Blank lines around a text do not count. A mutant whose text is no longer there fails the run.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	verbose = flag.Bool("v", false, "print why each mutant matters and what its test said")
	only    = flag.String("only", "", "run the mutants whose name contains this")
	jobs    = flag.Int("j", 2, "how many at a time")
	limit   = flag.Duration("limit", 2*time.Minute, "how long one test may take")
)

type mutant struct {
	name, why, file, pkg, test string
	edits                      [][2]string // from and to
}

func main() {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	paths, _ := filepath.Glob(".ci/mutants/*" + *only + "*")
	count := runAll(ctx, paths)
	fmt.Printf("%d mutants caught, %d survived, %d broken\n", count["caught"], count["SURVIVED"], count["BROKEN"])
	if count["caught"] == 0 || count["caught"] < len(paths) {
		os.Exit(1)
	}
}

func runAll(ctx context.Context, paths []string) map[string]int {
	var (
		count = map[string]int{}
		bases sync.Map
		mu    sync.Mutex
		wg    sync.WaitGroup
		slots = make(chan bool, max(1, *jobs))
	)
	for _, path := range paths {
		slots <- true
		wg.Go(func() {
			defer func() { <-slots }()
			start := time.Now()
			m, verdict, note := try(ctx, path, &bases)
			mu.Lock()
			defer mu.Unlock()
			count[verdict]++
			fmt.Printf("%-8s  %s  %s  %.1fs%s\n", verdict, m.name, m.test, time.Since(start).Seconds(), note)
		})
	}
	wg.Wait()
	return count
}

func try(ctx context.Context, path string, bases *sync.Map) (m mutant, verdict, note string) {
	m, err := load(path)
	dir, dirErr := os.MkdirTemp("", "mutant")
	defer os.RemoveAll(dir)
	if err = cmp.Or(err, dirErr); err == nil {
		err = m.write(dir)
	}
	if err == nil {
		err = baseline(ctx, m, bases)
	}
	if err != nil {
		return m, "BROKEN", ": " + err.Error()
	}
	r := goTest(ctx, m, "-overlay="+filepath.Join(dir, "overlay.json"))
	verdict, note = r.verdict()
	if verdict != "caught" || *verbose {
		note += "\nwhy: " + m.why
	}
	if verdict == "BROKEN" || *verbose {
		note += "\n" + r.output
	}
	return m, verdict, note
}

func load(path string) (mutant, error) {
	m := mutant{name: filepath.Base(path)}
	text, err := os.ReadFile(path)
	headers := map[string]*string{"why": &m.why, "file": &m.file, "test": &m.test}
	var part *string
	for line := range strings.Lines(string(text)) {
		switch word := strings.TrimRight(line, " \r\n"); {
		case word == "-- from":
			m.edits = append(m.edits, [2]string{})
			part = &m.edits[len(m.edits)-1][0]
		case word == "-- to" && part != nil:
			part = &m.edits[len(m.edits)-1][1]
		case part != nil:
			*part += line
		case word != "":
			key, value, _ := strings.Cut(word, ":")
			if headers[key] == nil {
				return m, fmt.Errorf("%q is not why, file or test", word)
			}
			*headers[key] = strings.TrimSpace(value)
		}
	}
	m.pkg, m.test, _ = strings.Cut(m.test, " ")
	if err == nil && (m.why == "" || m.file == "" || m.test == "" || m.edits == nil) {
		err = errors.New("a mutant has why, file, test (package and name), and from")
	}
	return m, err
}

// write puts the mutated file into dir, and the list that tells go to take it.
func (m *mutant) write(dir string) error {
	source, err := os.ReadFile(m.file)
	if err != nil {
		return err
	}
	text, err := m.apply(string(source))
	if err != nil {
		return err
	}
	mutated := filepath.Join(dir, filepath.Base(m.file))
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{m.file: mutated}})
	return cmp.Or(err, os.WriteFile(mutated, []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "overlay.json"), list, 0o600))
}

func (m *mutant) apply(source string) (string, error) {
	text := source
	for _, e := range m.edits {
		from, to := strings.Trim(e[0], "\r\n"), strings.Trim(e[1], "\r\n")
		if n := strings.Count(source, from); n != 1 || from == "" {
			return "", fmt.Errorf("stale: this stands %d times in %s, not once:\n%s", n, m.file, from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	if text == source {
		return "", errors.New("it changes nothing")
	}
	return text, nil
}

// baseline runs each test once without a mutant: a test that fails anyway, or does not run, catches nothing.
func baseline(ctx context.Context, m mutant, bases *sync.Map) error {
	once, _ := bases.LoadOrStore(m.pkg+" "+m.test, sync.OnceValue(func() error {
		if r := goTest(ctx, m); r.last != "pass" || r.failed {
			return fmt.Errorf("without the mutant the test does not pass (%s)\n%s", cmp.Or(r.last, "it did not run"), r.output)
		}
		return nil
	}))
	return once.(func() error)()
}

type result struct {
	last                  string // what go test said last of the named test
	built, failed, killed bool
	output                string
}

func (r result) verdict() (word, note string) {
	switch {
	case !r.built:
		return "BROKEN", ": it does not build"
	case r.last == "":
		return "BROKEN", ": the test did not run"
	case r.killed:
		return "BROKEN", ": the test did not end by itself"
	case r.last == "pass" || r.last == "skip" || !r.failed:
		return "SURVIVED", ": " + r.last
	case strings.Contains(r.output, "panic: test timed out after "):
		return "caught", "  (timed out)"
	}
	return "caught", "" // also by a process that died in the middle, of which go test says no more
}

func goTest(ctx context.Context, m mutant, flags ...string) result {
	// The test's own limit comes first; this one is for a build or a child that never ends.
	ctx, cancel := context.WithTimeout(ctx, *limit+5*time.Minute)
	defer cancel()
	args := append([]string{"test", "-json", "-count=1", "-vet=off", "-timeout=" + limit.String(), "-run=" + pattern(m.test)}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, m.pkg)...)
	// A mutant may leave children that spin: they end with the group.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if cmd.Process != nil {
		_ = cmd.Cancel()
	}
	r := read(out, m.test)
	r.failed = err != nil
	r.killed = ctx.Err() != nil || strings.Contains(r.output, "*** Test killed")
	return r
}

func pattern(test string) string {
	parts := strings.Split(test, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

func read(out []byte, test string) result {
	r := result{built: true}
	for line := range bytes.Lines(out) {
		var e struct{ Action, Test, Output, FailedBuild string }
		if json.Unmarshal(line, &e) != nil {
			r.output += string(line)
			continue
		}
		r.output += e.Output
		r.built = r.built && e.Action != "build-fail" && e.FailedBuild == ""
		if e.Test == test && e.Action != "output" {
			r.last = e.Action
		}
	}
	return r
}
