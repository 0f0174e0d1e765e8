package main

import (
	"context"
	"errors"
	"io"
	"os"
)

func main() {
	ctx, caught := withSignals(context.Background(), os.Stderr)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	if status != 0 {
		dieOf(caught())
	}
	os.Exit(status)
}

// run is the program: it returns the exit status. Nothing below it exits.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := call{stdin: stdin, stdout: stdout, stderr: voice{stderr}}
	err := c.dispatch(ctx, args)
	if err == nil {
		return 0
	}
	if errors.Is(context.Cause(ctx), errSignal) {
		return 1 // whoever sent the signal knows why
	}
	c.stderr.fail(err, c.options)
	return statusOf(err)
}
