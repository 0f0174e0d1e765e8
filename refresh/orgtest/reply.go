package orgtest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Reply is one answer that departs from the rules, or one that follows them and
// meets with an accident.
type Reply struct {
	// Status 0 is the answer that the rules give. Any other is this reply's
	// own answer, and the org does nothing: no token is spent, none made.
	Status int
	Header http.Header // added to the answer, whoever gives it
	Body   string      // sent with a Status of its own; JSON is labelled as such

	// Delay is the wait before the org acts. It acts also if the client has
	// gone meanwhile, as a server would.
	Delay time.Duration

	// Before runs just before the org acts, After when it has acted and the
	// answer has not gone out.
	Before, After func()

	Lose     bool // cut the connection instead of answering; the org has acted
	LoseHalf bool // the same after half of the body
	Hang     bool // neither act nor answer until Close or the client goes
}

// Refuse is the token endpoint's refusal: status 400 and Salesforce's JSON.
func Refuse(code, description string) Reply {
	return jsonReply(http.StatusBadRequest, struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}{code, description})
}

func jsonReply(status int, body any) Reply {
	text, _ := json.Marshal(body)
	return Reply{Status: status, Body: string(text)}
}

func page(status int) Reply {
	return Reply{Status: status, Body: "<html><head><title>" + http.StatusText(status) +
		"</title></head><body></body></html>\n"}
}

// Queue gives the next token requests (POSTs to the token endpoint) these
// replies, one each, in the order in which they arrive.
func (o *Org) Queue(replies ...Reply) {
	o.QueueAt(tokenPath, replies...)
}

// QueueAt is Queue for requests to any other path, by any method: an API's, or
// /services/oauth2/revoke.
func (o *Org) QueueAt(path string, replies ...Reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queues[path] = append(o.queues[path], replies...)
}

// Unqueue drops the replies that no request has come for.
func (o *Org) Unqueue() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.queues)
}

// next takes a reply off the queue. A token request is a POST: whatever else
// comes there must not eat its replies.
func (o *Org) next(q *Request) Reply {
	queue := o.queues[q.Path]
	if len(queue) == 0 || q.Path == tokenPath && !q.isToken() {
		return Reply{}
	}
	o.queues[q.Path] = queue[1:]
	return queue[0]
}

// Hold makes token requests that arrive from now on wait until release, before
// the org acts. They have been received meanwhile: see [Org.Await]. Those
// that would be refused because their refresh token is being processed are
// refused at once. Close ends the wait by cutting the connection.
func (o *Org) Hold() (release func()) {
	gate := make(chan struct{})
	o.mu.Lock()
	defer o.mu.Unlock()
	o.gates = append(o.gates, gate)
	return sync.OnceFunc(func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.gates = slices.DeleteFunc(o.gates, func(g chan struct{}) bool { return g == gate })
		close(gate)
	})
}

func (r Reply) lost() bool {
	return r.Lose || r.LoseHalf
}

func (r Reply) send(w http.ResponseWriter) {
	if r.Lose {
		panic(http.ErrAbortHandler)
	}
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Pragma", "no-cache")
	if json.Valid([]byte(r.Body)) {
		header.Set("Content-Type", "application/json;charset=UTF-8")
	}
	header.Set("Content-Length", strconv.Itoa(len(r.Body)))
	maps.Copy(header, r.Header)
	w.WriteHeader(r.Status)
	if r.LoseHalf {
		w.Write([]byte(r.Body[:len(r.Body)/2]))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	w.Write([]byte(r.Body))
}

// code is the error code in a refusal's body, in either of Salesforce's shapes.
func (r Reply) code() string {
	var one struct{ Error string }
	var many []struct{ ErrorCode string }
	switch {
	case json.Unmarshal([]byte(r.Body), &one) == nil:
		return one.Error
	case json.Unmarshal([]byte(r.Body), &many) == nil && len(many) > 0:
		return many[0].ErrorCode
	}
	return ""
}
