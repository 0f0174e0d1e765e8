package refresh_test

import (
	"context"
	"fmt"

	"sf-credential-helper/keystore"
	"sf-credential-helper/refresh"
	"sf-credential-helper/refresh/orgtest"
)

// memory stands for keystore.Open("auto"), which would keep an example in your keychain.
type memory map[string][]byte

func (m memory) Get(_ context.Context, name string) ([]byte, error) {
	if m[name] == nil {
		return nil, keystore.ErrNotFound
	}
	return m[name], nil
}

func (m memory) Set(_ context.Context, name string, secret []byte) error {
	m[name] = secret
	return nil
}

func (m memory) Delete(_ context.Context, name string) error { delete(m, name); return nil }

func (m memory) List(context.Context) ([]string, error) { return nil, nil }

func ExampleSource() {
	org := orgtest.New()
	defer org.Close()
	saved := org.Login("ada@example.com").Answer()

	ctx := context.Background()
	source := &refresh.Source{Store: memory{}, Org: "my-org"}
	login, err := refresh.ParseLogin(saved)
	if err != nil {
		fmt.Println(err)
		return
	}
	login.ClientID = orgtest.DefaultClient
	if err := source.Save(ctx, login); err != nil {
		fmt.Println(err)
		return
	}

	token, err := source.Token(ctx, "")
	fmt.Println(token.AccessToken, err)

	// Some API answers 401 to it.
	org.End(token.AccessToken.Reveal())
	fresh, err := source.Token(ctx, token.AccessToken.Reveal())
	fmt.Println(fresh.AccessToken, fresh.AccessToken != token.AccessToken, err)
	fmt.Println(org.TokenRequests(), "request")
	// Output:
	// [secret] <nil>
	// [secret] true <nil>
	// 1 request
}
