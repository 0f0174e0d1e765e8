// Package refresh yields Salesforce access tokens, and renews those that are rejected.
//
// A [Source] stands for one login in a [keystore.Store]. Salesforce does not say when a token ends,
// so the caller reports it:
//
//	token, err := source.Token(ctx, "")
//	// … the API answers 401 …
//	token, err = source.Token(ctx, token.AccessToken.Reveal())
//
// Any number of goroutines and processes may report the same token at once: it is renewed by one
// request, and all get the same answer. The road of a rejected token is: look at what is kept; take
// the login's lock; look again; keep a note that a renewal has begun, which proves that the store can
// be written; send the one request; put the answer into the record; keep it; give the token out.
//
// What is kept is one JSON document: Salesforce's own fields as they came, the unknown ones too, and
// this package's beside them under the key "sf-credential-helper". [ParseLogin] reads what users have
// in hand, and Source.Save keeps it.
//
// Salesforce's refusals are of type [*Error] and say whose turn it is: a human has to log in
// ([ErrLoginRequired]), an administrator or the configuration is in the way ([ErrRefused]), or trying
// again later is right ([ErrTemporary]). A login is kept through all of them.
package refresh
