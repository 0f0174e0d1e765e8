package main

import (
	"context"

	"github.com/spf13/pflag"

	"sf-credential-helper/keystore"
)

func eraseFlags(f *pflag.FlagSet, o *options) {
	f.BoolVar(&o.rejected, "rejected", false, "")
}

func (c *call) erase(ctx context.Context) error {
	source, err := c.source()
	if err != nil {
		return err
	}
	if !c.rejected {
		return keystore.Forget(ctx, source.Store, c.org)
	}
	token, err := c.readToken(ctx)
	if err != nil {
		return err
	}
	return source.Reject(ctx, token)
}
