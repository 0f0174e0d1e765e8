package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/pflag"

	"sf-credential-helper/keystore"
)

func listFlags(f *pflag.FlagSet, o *options) {
	f.BoolVar(&o.json, "json", false, "")
}

// row is what list shows of a login.
type row struct {
	Org         string `json:"org"`
	Username    string `json:"username,omitempty"`
	OrgID       string `json:"org_id,omitempty"`
	UserID      string `json:"user_id,omitempty"`
	InstanceURL string `json:"instance_url,omitempty"`
	Kind        string `json:"kind"`
}

func (c *call) list(ctx context.Context) error {
	rows, err := c.rows(ctx)
	if err != nil {
		return err
	}
	if c.json {
		return c.print(toJSON(rows))
	}
	if len(rows) == 0 {
		c.stderr.nothingKept()
		return nil
	}
	return c.print(table(rows))
}

func (c *call) rows(ctx context.Context) ([]row, error) {
	source, err := c.source()
	if err != nil {
		return nil, err
	}
	names, err := source.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	rows := []row{}
	for _, name := range names {
		source.Org = name
		login, err := source.Login(ctx)
		switch {
		case errors.Is(err, keystore.ErrNotFound):
			continue
		case errors.Is(err, keystore.ErrDenied), errors.Is(err, keystore.ErrUnavailable), ctx.Err() != nil:
			return nil, err
		case err != nil:
			c.stderr.fail(err, options{org: name})
			rows = append(rows, row{Org: name, Kind: "unreadable"})
			continue
		}
		rows = append(rows, row{name, login.Username, login.OrgID, login.UserID, login.InstanceURL, login.Kind()})
	}
	return rows, nil
}

func table(rows []row) []byte {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ORG\tUSER\tORG ID\tINSTANCE\tLOGIN")
	for _, r := range rows {
		user := r.Username
		if user == "" {
			user = r.UserID
		}
		for _, cell := range []string{r.Org, user, r.OrgID, r.InstanceURL} {
			fmt.Fprint(w, orDash(cell), "\t")
		}
		fmt.Fprintln(w, r.Kind)
	}
	_ = w.Flush() // into memory
	return b.Bytes()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}
