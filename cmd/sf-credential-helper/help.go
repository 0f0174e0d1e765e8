package main

import (
	"context"
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// The manual is the package comment, so that there is one.
//
//go:embed doc.go
var docGo string

// manual is the package comment without the marks of a comment.
func manual() string {
	_, text, _ := strings.Cut(docGo, "/*\n")
	text, _, _ = strings.Cut(text, "\n*/")
	return strings.ReplaceAll(text, "\n\t", "\n    ") + "\n"
}

// chapter is the part of the manual under a heading.
func chapter(name string) (string, bool) {
	_, text, ok := strings.Cut(manual(), "\n# "+name+"\n\n")
	text, _, _ = strings.Cut(text, "\n\n# ")
	return strings.Trim(text, "\n") + "\n", ok
}

func (c *call) help(context.Context) error {
	if len(c.args) == 0 {
		return c.print([]byte(manual()))
	}
	text, ok := chapter(c.args[0])
	if !ok {
		return usage("help has no such chapter", "sf-credential-helper help")
	}
	return c.print([]byte(text))
}

func (c *call) version(context.Context) error {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return c.print(fmt.Appendf(nil, "sf-credential-helper %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH))
}
