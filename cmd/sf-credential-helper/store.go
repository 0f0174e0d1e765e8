package main

import (
	"context"
	"os"

	"github.com/spf13/pflag"

	"sf-credential-helper/refresh"
)

// cliApp is the app of Salesforce's own CLI. It has no secret.
const cliApp = "PlatformCLI"

func storeFlags(f *pflag.FlagSet, o *options) {
	f.StringVarP(&o.clientID, "client-id", "i", "", "")
	f.StringVarP(&o.url, "instance-url", "r", "", "")
	f.BoolVar(&o.replace, "replace", false, "")
}

func (c *call) store(ctx context.Context) error {
	source, err := c.source()
	if err != nil {
		return err
	}
	if onTerminal(c.stdin) {
		c.stderr.say("waiting for a login on stdin: paste a token answer, a force:// URL or an access token, then press Enter and " + endOfInput)
	}
	input, err := c.readAll(ctx, refresh.MaxLogin)
	if err != nil {
		return err
	}
	login, err := refresh.ParseLogin(input)
	if err != nil {
		return err
	}
	if err := c.complete(&login); err != nil {
		return err
	}
	save := source.Save
	if c.replace {
		save = source.Replace
	}
	if err := save(ctx, login); err != nil {
		return err
	}
	c.stderr.kept(c.options, login)
	return nil
}

// complete adds what the input does not tell and the flags and the environment do.
func (c *call) complete(login *refresh.Login) error {
	if login.ClientID != "" && c.clientID != "" && login.ClientID != c.clientID {
		return usage("the login names another client id than -i", "leave -i out: a refresh token is good with its own client id only")
	}
	if login.ClientID == "" {
		login.ClientID = environment("SF_CLIENT_ID", "")
		if c.clientID != "" {
			login.ClientID = c.clientID
		}
	}
	if login.ClientSecret == "" && login.ClientID != cliApp {
		login.ClientSecret = refresh.Secret(os.Getenv("SF_CLIENT_SECRET"))
	}
	if c.url == "" {
		return nil
	}
	address, err := refresh.CheckURL(c.url)
	if err != nil {
		return usage("-r: "+err.Error(), "sf-credential-helper help store")
	}
	if login.InstanceURL == "" && login.RefreshToken == "" {
		login.InstanceURL = address
	}
	if login.RefreshToken != "" {
		login.LoginURL = address
	}
	return nil
}
