package keystore

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "sf-credential-helper"

// forbidden says what the packages below a directory may not have among their imports, whether
// their own or those of what they import.
var forbidden = map[string][]string{
	"keystore": {module + "/refresh", module + "/cmd", "flag", "github.com/spf13/pflag", "golang.org/x/term", "testing", "net/http"},
	"refresh":  {module + "/cmd", module + "/keystore/keychaintest", "flag", "github.com/spf13/pflag", "golang.org/x/term", "testing"},
}

// The house is a line: cmd, refresh, keystore. Nothing points up or sideways.
func TestNothingPointsUp(t *testing.T) {
	for dir, never := range forbidden {
		files := sources(t, filepath.Join("..", dir))
		if len(files) < 5 {
			t.Errorf("%s has the files %q only", dir, files)
		}
		for _, file := range files {
			for _, path := range importsOf(t, file) {
				if under(path, never) != "" {
					t.Errorf("%s imports %s", file, path)
				}
			}
		}
	}
}

// Nor does it by a detour.
func TestNothingIsPulledIn(t *testing.T) {
	for dir, never := range forbidden {
		cmd := exec.Command("go", "list", "-deps", "./"+dir)
		cmd.Dir = ".."
		cmd.Env = append(cmd.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off")
		cmd.Stderr = &strings.Builder{}
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err, cmd.Stderr)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 20 {
			t.Errorf("%s needs %q only", dir, deps)
		}
		for _, path := range deps {
			if under(path, never) != "" {
				t.Errorf("%s needs %s", dir, path)
			}
		}
	}
}

// under returns which of the packages path is, or is below.
func under(path string, packages []string) string {
	for _, p := range packages {
		if path == p || strings.HasPrefix(path, p+"/") {
			return p
		}
	}
	return ""
}

// sources are the files below dir that are no tests, and not for tests.
func sources(t *testing.T, dir string) (files []string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() && (d.Name() == "testdata" || d.Name() == "keychaintest") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return err
	}))
	return files
}

func importsOf(t *testing.T, file string) (paths []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	must(t, err)
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		must(t, err)
		paths = append(paths, path)
	}
	return paths
}
