package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"sf-credential-helper/keystore"
)

func onTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// readToken reads the rejected token: the first line of stdin.
func (c *call) readToken(ctx context.Context) (string, error) {
	hint := `token=$(printf '%s\n' "$token" | ` + commandFor("get --rejected", c.options) + ")"
	if onTerminal(c.stdin) {
		return "", usage("--rejected reads the rejected token from stdin, and stdin is a terminal", hint)
	}
	line, err := readWhile(ctx, func() ([]byte, error) { return firstLine(c.stdin, keystore.MaxSecret) })
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(line))
	switch {
	case token == "":
		return "", usage("--rejected reads the rejected token from stdin, and there is nothing on stdin", hint)
	case strings.ContainsAny(token, " \t\"'{}<>"):
		return "", usage("what is on stdin is no token: it has blanks, quotes or brackets in it", hint)
	case len(line) > keystore.MaxSecret:
		return "", usage("what is on stdin is too long for a token", hint)
	}
	return token, nil
}

// firstLine reads up to the first line feed and not a byte beyond what its reader hands out with it:
// a caller may keep the pipe open.
func firstLine(r io.Reader, limit int) ([]byte, error) {
	var line []byte
	buf := make([]byte, 4096)
	for len(line) <= limit {
		n, err := r.Read(buf)
		line = append(line, buf[:n]...)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			return line[:i], nil
		}
		if err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
	}
	return line, nil
}

// readAll reads stdin to its end, or one byte beyond the limit.
func (c *call) readAll(ctx context.Context, limit int64) ([]byte, error) {
	return readWhile(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(c.stdin, limit+1)) })
}

// readWhile gives up when ctx ends, which a read does not.
func readWhile(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		data []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		data, err := read()
		done <- result{data, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, usage("stdin cannot be read", "sf-credential-helper help tells what each command reads")
		}
		return r.data, nil
	case <-ctx.Done():
		return nil, usage("stdin did not end before the time was out", "close the pipe behind what is to be read, or wait longer with --timeout")
	}
}
