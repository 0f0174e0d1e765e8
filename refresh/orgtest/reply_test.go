package orgtest_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sf-credential-helper/refresh/orgtest"
)

func TestQueueInOrder(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	o.Queue(
		orgtest.Refuse("invalid_grant", "ip restricted"),
		orgtest.Reply{Status: 503, Header: http.Header{"Retry-After": {"7"}}, Body: "<html>maintenance</html>"},
		orgtest.Reply{Header: http.Header{"X-Extra": {"1"}}},
	)
	get, _ := http.NewRequest("GET", o.URL+"/services/oauth2/token", nil)
	do(get) // takes no reply

	wantRefused(t, refresh(o, l.RefreshToken), "invalid_grant", "ip restricted")
	a := refresh(o, l.RefreshToken)
	if a.Status != 503 || a.Header.Get("Retry-After") != "7" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("%d %v", a.Status, a.Header)
	}
	wantAlive(t, o, true, l.RefreshToken)
	if a := refresh(o, l.RefreshToken); a.Status != 200 || a.Header.Get("X-Extra") != "1" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantAlive(t, o, false, l.RefreshToken)
}

func TestQueueAt(t *testing.T) {
	o := newOrg(t, orgtest.Rules{})
	l := o.Login(user)
	o.QueueAt("/services/oauth2/revoke", orgtest.Reply{Status: 500})
	if a := revoke(o, l.RefreshToken); a.Status != 500 {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantAlive(t, o, true, l.RefreshToken)
}

func TestLostAnswers(t *testing.T) {
	for name, reply := range map[string]orgtest.Reply{
		"all":  {Lose: true},
		"half": {LoseHalf: true},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrg(t, orgtest.Rules{Rotate: true})
			l := o.Login(user)
			o.Queue(reply)
			a := refresh(o, l.RefreshToken)
			if a.Err == nil || (a.Body != "") != reply.LoseHalf {
				t.Errorf("err %v, body %q", a.Err, a.Body)
			}
			wantAlive(t, o, false, l.RefreshToken)
			wantAlive(t, o, true, o.Current(user).RefreshToken)
			if q := o.Requests()[0]; !q.Lost || q.Status != 200 {
				t.Errorf("%+v", q)
			}
		})
	}
}

func TestHangEndsWithTheClient(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	o.Queue(orgtest.Reply{Hang: true})
	ctx, cancel := context.WithCancel(t.Context())
	hung := make(chan answer)
	go func() { hung <- refreshWith(ctx, o, l.RefreshToken) }()
	await(t, o, 1)
	cancel()
	if a := <-hung; a.Err == nil {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	if a := refresh(o, l.RefreshToken); a.Status != 200 {
		t.Errorf("the hanging request did something: %d %s", a.Status, a.Body)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l, m, n := o.Login(user), o.Login(user), o.Login(user)
	ended := make(chan answer)
	send := func(count int, token string) {
		go func() { ended <- refresh(o, token) }()
		await(t, o, count)
	}
	o.Queue(orgtest.Reply{Hang: true}, orgtest.Reply{Delay: time.Hour}, orgtest.Reply{})
	send(1, l.RefreshToken)
	send(2, m.RefreshToken)
	o.Hold()
	send(3, n.RefreshToken)
	o.Close()
	o.Close()
	for range 3 {
		if a := <-ended; a.Err == nil {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	wantAlive(t, o, true, l.RefreshToken, m.RefreshToken, n.RefreshToken)
	if err := o.Await(t.Context(), 4); err == nil {
		t.Error("Await waits for what cannot come")
	}
}

func TestHold(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l, m := o.Login(user), o.Login("bob@example.com")
	release := o.Hold()
	first, second := make(chan answer, 1), make(chan answer, 1)
	go func() { first <- refresh(o, l.RefreshToken) }()
	await(t, o, 1)
	wantRefused(t, refresh(o, l.RefreshToken), "invalid_grant", "token request is already being processed")
	go func() { second <- refresh(o, m.RefreshToken) }()
	await(t, o, 3)
	wantAlive(t, o, true, l.RefreshToken, m.RefreshToken)
	release()
	release()
	for _, held := range []chan answer{first, second} {
		if a := <-held; a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	// The refused request must not have freed or revoked anything.
	if a := refresh(o, o.Current(user).RefreshToken); a.Status != 200 {
		t.Errorf("after: %d %s", a.Status, a.Body)
	}
}

func TestDelayIsBeforeTheOrgActs(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	const delay = 20 * time.Millisecond
	o.Queue(orgtest.Reply{Delay: delay, Before: func() { wantAlive(t, o, true, l.RefreshToken) }})
	start := time.Now()
	if a := refresh(o, l.RefreshToken); a.Status != 200 || time.Since(start) < delay {
		t.Errorf("%d after %v", a.Status, time.Since(start))
	}
}

func TestBeforeAndAfter(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	var alive []bool
	see := func() { alive = append(alive, o.Alive(l.RefreshToken)) }
	o.Queue(orgtest.Reply{Before: see, After: func() {
		see()
		wantRefused(t, refresh(o, l.RefreshToken), "invalid_grant", "already being processed")
	}})
	if a := refresh(o, l.RefreshToken); a.Status != 200 || len(alive) != 2 || !alive[0] || alive[1] {
		t.Errorf("%d, alive before and after: %v", a.Status, alive)
	}
	wantAlive(t, o, true, o.Current(user).RefreshToken)
}

func TestAClientThatGoesDoesNotStopTheOrg(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	acted := make(chan struct{})
	o.Queue(orgtest.Reply{After: func() { close(acted) }})
	release := o.Hold()
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan answer)
	go func() { gone <- refreshWith(ctx, o, l.RefreshToken) }()
	await(t, o, 1)
	cancel()
	<-gone
	release()
	<-acted
	wantAlive(t, o, false, l.RefreshToken)
}

func TestConcurrentUse(t *testing.T) {
	o := newOrg(t, orgtest.Rules{Rotate: true})
	l := o.Login(user)
	release := o.Hold()
	var clients sync.WaitGroup
	answers := make(chan answer, 8)
	for range cap(answers) {
		clients.Go(func() {
			o.Login(user + "x")
			answers <- refresh(o, l.RefreshToken)
			o.Requests()
		})
	}
	await(t, o, cap(answers))
	release()
	clients.Wait()
	close(answers)
	count := map[int]int{}
	for a := range answers {
		count[a.Status]++
	}
	if count[200] != 1 || count[400] != 7 {
		t.Errorf("answers by status: %v", count)
	}
	wantAlive(t, o, true, o.Current(user).RefreshToken)
}
