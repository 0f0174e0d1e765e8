package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestManualKnowsEveryFlag: what a command takes stands in its chapter or in that of the options,
// and nothing else does.
func TestManualKnowsEveryFlag(t *testing.T) {
	common, ok := chapter("options")
	if !ok {
		t.Fatal("no chapter on the options")
	}
	for _, cmd := range commands() {
		text, ok := chapter(cmd.name)
		if !ok {
			t.Errorf("no chapter on %s", cmd.name)
		}
		known := map[string]bool{"help": true, "json": true}
		flagsOf(cmd, &options{}).VisitAll(func(f *pflag.Flag) {
			known[f.Name] = true
			if !strings.Contains(text+common, "--"+f.Name) {
				t.Errorf("the manual does not know %s --%s", cmd.name, f.Name)
			}
			if f.Shorthand != "" && !strings.Contains(text+common, "-"+f.Shorthand+", --"+f.Name) {
				t.Errorf("the manual does not know %s -%s", cmd.name, f.Shorthand)
			}
		})
		for _, m := range regexp.MustCompile(`(?m)^ +(?:-\w, )?--([a-z-]+)  `).FindAllStringSubmatch(text, -1) {
			if !known[m[1]] {
				t.Errorf("%s has no flag --%s", cmd.name, m[1])
			}
		}
	}
}

// TestManualKnowsEveryFormat and no other.
func TestManualKnowsEveryFormat(t *testing.T) {
	text, _ := chapter("get")
	for format := range formats {
		if !regexp.MustCompile(`(?m)^ +(?:-f, --format FORMAT  )?` + format + `   *\S`).MatchString(text) {
			t.Errorf("the manual does not know -f %s", format)
		}
	}
}

// TestReadmeAgreesWithTheManual: the README's usage and its exit statuses are the manual's.
func TestReadmeAgreesWithTheManual(t *testing.T) {
	data, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(data)
	usage, _, _ := strings.Cut(manual(), "\n\nAn org is")
	for line := range strings.Lines(usage) {
		if strings.HasPrefix(line, "    ") && !strings.Contains(readme, strings.TrimSpace(line)) {
			t.Errorf("the README lacks %q", strings.TrimSpace(line))
		}
	}
	exit, _ := chapter("exit")
	for _, m := range regexp.MustCompile(`(?m)^    (\d)  (.*(?:\n {7}.*)*)`).FindAllStringSubmatch(exit, -1) {
		row := "| " + m[1] + " | " + strings.Join(strings.Fields(m[2]), " ") + " |"
		if !strings.Contains(readme, row) {
			t.Errorf("the README lacks the row %q", row)
		}
	}
	for _, m := range regexp.MustCompile(`sf-credential-helper ([a-z]+)`).FindAllStringSubmatch(readme, -1) {
		if _, ok := find(m[1]); !ok && !proseAfterName[m[1]] {
			t.Errorf("the README speaks of %q, which is no command", m[0])
		}
	}
}

// proseAfterName are words that stand behind the program's name and are no commands.
var proseAfterName = map[string]bool{"keeps": true, "does": true, "is": true}
