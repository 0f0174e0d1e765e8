package orgtest

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	tokenPath    = "/services/oauth2/token"
	revokePath   = "/services/oauth2/revoke"
	userinfoPath = "/services/oauth2/userinfo"
	identityPath = "/id/"
	dataPath     = "/services/data/"

	maxBody = 1 << 20
)

// Request is one request the org got, and what became of it.
type Request struct {
	Time   time.Time // of its arrival
	Method string
	Path   string
	Header http.Header
	Body   string
	Form   url.Values // the body, if it is a form

	Status int    // the answer's; 0 while there is none
	Error  string // the answer's error or errorCode, if it is a JSON refusal
	Lost   bool   // the answer was lost on purpose, wholly or by half

	cut     bool // the body was too long, or broke off
	refused bool // another request is spending the same refresh token
}

func (q *Request) isToken() bool {
	return q.Path == tokenPath && q.Method == http.MethodPost
}

// Requests returns every request so far, in the order of arrival. It has an
// answer's Status before the client has the answer.
func (o *Org) Requests() []Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	requests := make([]Request, len(o.requests))
	for i, q := range o.requests {
		requests[i] = *q
	}
	return requests
}

// TokenRequests returns how many token requests were received so far, whatever
// became of them: POSTs to the token endpoint.
func (o *Org) TokenRequests() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tokens
}

// Await returns when n token requests, counted from the org's beginning, have
// been received, held ones included. It fails if ctx ends or the org is closed
// before.
func (o *Org) Await(ctx context.Context, n int) error {
	for {
		o.mu.Lock()
		received, arrival := o.tokens, o.arrival
		o.mu.Unlock()
		if received >= n {
			return nil
		}
		select {
		case <-arrival:
		case <-ctx.Done():
			return ctx.Err()
		case <-o.ctx.Done():
			return http.ErrServerClosed
		}
	}
}

func (o *Org) serve(w http.ResponseWriter, r *http.Request) {
	q := read(w, r)
	reply, gates := o.receive(q)
	if reply.Hang {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	o.process(q, reply, gates).send(w)
}

// read reads to the end of the body: only then does the server notice that a
// client has gone.
func read(w http.ResponseWriter, r *http.Request) *Request {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	q := &Request{
		Time:   time.Now(),
		Method: r.Method,
		Path:   r.URL.Path,
		Header: r.Header,
		Body:   string(body),
		cut:    err != nil,
	}
	if isForm(r.Header) {
		q.Form, _ = url.ParseQuery(q.Body)
	}
	return q
}

func isForm(header http.Header) bool {
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "application/x-www-form-urlencoded")
}

// receive is all that happens at arrival, in one step: who has seen a request
// arrive can rely on its refresh token being busy. A request that hangs
// does not make it so, for nobody could tell when that ends.
func (o *Org) receive(q *Request) (Reply, []chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, q)
	reply := o.next(q)
	if !q.isToken() {
		return reply, nil
	}
	o.tokens++
	close(o.arrival)
	o.arrival = make(chan struct{})

	token := q.Form.Get("refresh_token")
	if q.refused = o.busy[token]; q.refused {
		return reply, nil
	}
	if token != "" && !reply.Hang {
		o.busy[token] = true
	}
	return reply, slices.Clone(o.gates)
}

// process returns with the refresh token free again, so that it is so before
// the client can know.
func (o *Org) process(q *Request, reply Reply, gates []chan struct{}) Reply {
	defer o.release(q)
	for _, gate := range gates {
		wait(o.ctx, gate)
	}
	if reply.Delay > 0 {
		wait(o.ctx, time.After(reply.Delay))
	}
	if reply.Before != nil {
		reply.Before()
	}
	reply = o.act(q, reply)
	if reply.After != nil {
		reply.After()
	}
	return reply
}

// wait lasts until something comes. An org that closes first answers nobody.
func wait[T any](org context.Context, something <-chan T) {
	select {
	case <-something:
	case <-org.Done():
		panic(http.ErrAbortHandler)
	}
}

func (o *Org) release(q *Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if q.isToken() && !q.refused {
		delete(o.busy, q.Form.Get("refresh_token"))
	}
}

func (o *Org) act(q *Request, reply Reply) Reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	if reply.Status == 0 {
		ruled := o.rule(q)
		reply.Status, reply.Body = ruled.Status, ruled.Body
	}
	q.Status, q.Error, q.Lost = reply.Status, reply.code(), reply.lost()
	return reply
}

func (o *Org) rule(q *Request) Reply {
	switch {
	case q.cut:
		return page(http.StatusRequestEntityTooLarge)
	case q.Path == tokenPath:
		return o.token(q)
	case q.Path == revokePath:
		return o.revoke(q)
	case q.Path == userinfoPath, strings.HasPrefix(q.Path, identityPath):
		return o.userinfo(q)
	case q.Path == dataPath:
		return versions()
	case strings.HasPrefix(q.Path, dataPath+"v"):
		return o.api(q)
	}
	return page(http.StatusNotFound)
}
