package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/pflag"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh"
)

// call is one call of the program.
type call struct {
	options
	stdin  io.Reader
	stdout io.Writer
	stderr voice
}

// options are the flags of all commands, and args what stands behind them.
type options struct {
	org, keystore string
	timeout       time.Duration

	rejected, refresh bool
	maxAge            time.Duration
	format            string
	clientID, url     string
	replace, json     bool

	args  []string
	given func(flag string) bool
}

// command is a row of the table that dispatch, help and the tests share.
type command struct {
	name  string
	flags func(*pflag.FlagSet, *options)
	args  int  // how many arguments it takes at most
	org   bool // whether it is about one org
	run   func(*call, context.Context) error
}

func commands() []command {
	return []command{
		{"get", getFlags, 0, true, (*call).get},
		{"store", storeFlags, 0, true, (*call).store},
		{"erase", eraseFlags, 0, true, (*call).erase},
		{"list", listFlags, 0, false, (*call).list},
		{"help", noFlags, 1, false, (*call).help},
		{"version", noFlags, 0, false, (*call).version},
	}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func (c *call) dispatch(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return usage("no command", "sf-credential-helper help")
	}
	switch args[0] {
	case "-h", "--help":
		args[0] = "help"
	case "--version":
		args[0] = "version"
	}
	cmd, ok := find(args[0])
	if !ok && args[0][:min(1, len(args[0]))] == "-" {
		return usage("the command comes first, and its options behind it", "sf-credential-helper get -o NAME")
	}
	if !ok {
		return usage("there is no such command", "sf-credential-helper help")
	}
	flags := flagsOf(cmd, &c.options)
	err := flags.Parse(args[1:])
	c.given = flags.Changed
	if errors.Is(err, pflag.ErrHelp) {
		c.args = []string{cmd.name}
		return c.help(ctx)
	}
	if err != nil {
		return badFlag(cmd, err)
	}
	if c.args = flags.Args(); len(c.args) > cmd.args {
		return usage("too many arguments: -o names the org, and a login or a token comes on stdin", "sf-credential-helper help "+cmd.name)
	}
	if err := c.checkCommon(cmd); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	return cmd.run(c, ctx)
}

func flagsOf(cmd command, o *options) *pflag.FlagSet {
	f := pflag.NewFlagSet(cmd.name, pflag.ContinueOnError)
	f.Usage = func() {}
	f.SortFlags = false
	f.StringVarP(&o.org, "target-org", "o", environment("SF_TARGET_ORG", "default"), "")
	f.StringVar(&o.keystore, "keystore", environment("SF_CREDENTIAL_KEYSTORE", "auto"), "")
	f.DurationVar(&o.timeout, "timeout", keystore.DefaultWait, "")
	cmd.flags(f, o)
	return f
}

func noFlags(*pflag.FlagSet, *options) {}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

// badFlag says what is wrong with a flag, without its value: it may be a token in the wrong place.
func badFlag(cmd command, err error) error {
	var value *pflag.InvalidValueError
	var missing *pflag.ValueRequiredError
	what := "there is no such flag"
	switch {
	case errors.As(err, &value):
		what = fmt.Sprintf("--%s does not take this value", value.GetFlag().Name)
		if value.GetFlag().Value.Type() == "duration" {
			what += " (a time is written 90s, 30m or 2h)"
		}
	case errors.As(err, &missing):
		what = fmt.Sprintf("--%s needs a value", missing.GetFlag().Name)
	}
	return usage(what, "sf-credential-helper help "+cmd.name)
}

func (c *call) checkCommon(cmd command) error {
	if c.timeout <= 0 {
		return usage("--timeout has to be more than 0, as in 30s", "sf-credential-helper help "+cmd.name)
	}
	if err := keystore.CheckName(c.org); err != nil && cmd.org {
		return usage("the org (-o, or $SF_TARGET_ORG) has an "+err.Error(), "sf-credential-helper list shows the names that are kept")
	}
	return nil
}

// source is the login that the call is about.
func (c *call) source() (*refresh.Source, error) {
	store, err := keystore.Open(c.keystore)
	if err != nil {
		return nil, err
	}
	return &refresh.Source{Store: store, Org: c.org, MaxAge: c.maxAge}, nil
}

// print writes the result, whole and at once.
func (c *call) print(result []byte) error {
	if _, err := c.stdout.Write(result); err != nil {
		return fmt.Errorf("stdout cannot be written: %w", err)
	}
	return nil
}
