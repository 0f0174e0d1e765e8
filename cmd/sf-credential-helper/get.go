package main

import (
	"context"

	"github.com/spf13/pflag"

	"sf-credential-helper/refresh"
)

func getFlags(f *pflag.FlagSet, o *options) {
	f.BoolVar(&o.rejected, "rejected", false, "")
	f.BoolVar(&o.refresh, "refresh", false, "")
	f.DurationVar(&o.maxAge, "max-age", 0, "")
	f.StringVarP(&o.format, "format", "f", "token", "")
}

func (c *call) get(ctx context.Context) error {
	if err := c.checkGet(); err != nil {
		return err
	}
	source, err := c.source()
	if err != nil {
		return err
	}
	token, err := c.token(ctx, source)
	if err != nil {
		return err
	}
	if ctx.Err() != nil && context.Cause(ctx) != context.DeadlineExceeded {
		return ctx.Err() // the renewal was kept; the caller is gone
	}
	if token.Suspect {
		c.stderr.suspect(c.options)
	}
	return c.print(formats[c.format](c.org, token))
}

func (c *call) token(ctx context.Context, source *refresh.Source) (refresh.Token, error) {
	switch {
	case c.refresh:
		return source.Renew(ctx)
	case c.rejected:
		rejected, err := c.readToken(ctx)
		if err != nil {
			return refresh.Token{}, err
		}
		return source.Token(ctx, rejected)
	}
	return source.Token(ctx, "")
}

func (c *call) checkGet() error {
	const more = "sf-credential-helper help get"
	if _, ok := formats[c.format]; !ok {
		return usage("there is no such format: there are token, json, header, curl and env", more)
	}
	if c.rejected && c.refresh {
		return usage("--rejected and --refresh exclude each other", more)
	}
	if c.given("max-age") && c.maxAge <= 0 {
		return usage("--max-age has to be more than 0, as in 90m", more)
	}
	return nil
}
