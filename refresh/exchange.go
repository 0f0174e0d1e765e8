package refresh

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	tokenPath = "/services/oauth2/token"
	maxAnswer = 1 << 20 // bytes
)

// exchange spends the login's grant at its org: one request, one answer. Not exported: whoever called
// it and did not keep what it returns could lose the login.
func (s *Source) exchange(ctx context.Context, rec record) (map[string]json.RawMessage, *Error) {
	host := rec.host()
	fields, refusal := s.post(ctx, host+tokenPath, grant(rec))
	if refusal != nil {
		refusal.Org, refusal.Host = s.Org, strings.TrimPrefix(host, "https://")
		refusal.Code = visible(conceal(refusal.Code, rec))
		refusal.Description = visible(conceal(refusal.Description, rec))
	}
	return fields, refusal
}

// grant is what a login sends to get a token. Each kind of login is a case; scope is never sent,
// for it would narrow the login.
func grant(rec record) url.Values {
	form := url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {rec.text("refresh_token")},
		"client_id":     {rec.own.ClientID},
	}
	if rec.own.ClientSecret != "" {
		form.Set("client_secret", rec.own.ClientSecret)
	}
	return form
}

// conceal takes what we sent out of what a server says, should it repeat it. That comes before
// anything is cut off, for of half a secret it would know nothing.
func conceal(text string, rec record) string {
	for _, secret := range []string{rec.text("refresh_token"), rec.text("access_token"), rec.own.ClientSecret} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, hidden)
			text = strings.ReplaceAll(text, url.QueryEscape(secret), hidden)
		}
	}
	return text
}

func (s *Source) post(ctx context.Context, address string, form url.Values) (map[string]json.RawMessage, *Error) {
	client, err := s.client()
	if err != nil {
		return nil, &Error{Class: ErrRefused, Description: err.Error()}
	}
	if s.Client == nil {
		defer client.CloseIdleConnections()
	}
	var sent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { sent.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, &Error{Class: ErrRefused, Description: err.Error()}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", ownKey)
	resp, err := client.Do(req)
	if err != nil {
		return nil, noAnswer(err, sent.Load())
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, noAnswer(err, true)
	}
	if len(body) > maxAnswer {
		return nil, &Error{Status: resp.StatusCode, Class: ErrTemporary, Lost: true, Description: "the answer is larger than 1 MiB"}
	}
	fields, refusal := readAnswer(resp.StatusCode, body)
	if refusal != nil {
		refusal.RetryAfter = retryAfter(resp.Header.Get("Retry-After"))
	}
	return fields, refusal
}

// noAnswer is the Error of a request without an answer. One that never went out did nothing; what
// one did that went out is not known.
func noAnswer(err error, sent bool) *Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // its text is the method and the address besides
	}
	e := &Error{Class: ErrTemporary, Cause: err, Description: "no answer: " + inWords(err), Lost: sent}
	var certificate *tls.CertificateVerificationError
	var name *net.DNSError
	var noTLS tls.RecordHeaderError
	switch {
	case errors.As(err, &certificate):
		e.Class, e.Description = ErrRefused, "its certificate is not trusted: "+err.Error()
	case errors.As(err, &name) && name.IsNotFound, errors.As(err, &noTLS):
		e.later = true // a wrong address does not become right within a minute
	}
	return e
}

func inWords(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the time is out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was cut"
	}
	return err.Error()
}

// client is the caller's, or one of our own, and follows no redirect: the form would go along.
func (s *Source) client() (*http.Client, error) {
	if s.Client != nil {
		c := *s.Client
		c.CheckRedirect = noRedirect
		return &c, nil
	}
	roots, err := roots()
	if err != nil {
		return nil, err
	}
	return &http.Client{CheckRedirect: noRedirect, Transport: &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 15 * time.Second,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true,
	}}, nil
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// roots are the system's, and those of $SSL_CERT_FILE. Nil leaves both to crypto/x509, which heeds
// the variable by itself but on macOS and Windows, and passes over a file that it cannot read.
func roots() (*x509.CertPool, error) {
	file := os.Getenv("SSL_CERT_FILE")
	if file == "" {
		return nil, nil
	}
	if runtime.GOOS != "darwin" && runtime.GOOS != "windows" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("$SSL_CERT_FILE cannot be read: %w", err)
		}
		return nil, f.Close()
	}
	return rootsWith(file)
}

func rootsWith(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("$SSL_CERT_FILE cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("$SSL_CERT_FILE (%s) has no certificate in it", file)
	}
	return pool, nil
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(max(0, min(seconds, 1<<20))) * time.Second
	}
	if t, err := http.ParseTime(header); err == nil {
		return max(0, time.Until(t))
	}
	return 0
}
