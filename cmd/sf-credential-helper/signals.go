package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// errSignal is the cause of a context that a signal ended.
var errSignal = errors.New("stopped by a signal")

// withSignals returns a context that ends with the first signal to stop; caught tells which it was.
// A renewal under way is finished all the same, and said so to whoever waits for it; one who has been
// told, and sends another, is obeyed.
func withSignals(parent context.Context, stderr io.Writer) (ctx context.Context, caught func() os.Signal) {
	ctx, cancel := context.WithCancelCause(parent)
	// A closed pipe is an error of the write to it, not the end of a renewal.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	stop := make(chan os.Signal, 1)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // nohup
			signal.Notify(stop, s)
		}
	}
	var first atomic.Value
	go func() {
		first.Store(<-stop)
		cancel(errSignal)
		time.Sleep(time.Second)
		for len(stop) > 0 {
			<-stop // of an impatient second, before anything was said
		}
		voice{stderr}.say("stopping, once the renewal that is under way has been kept, or when the time is out",
			"to stop at once interrupt it again; if the org rotates refresh tokens, that may cost the login")
		dieOf(<-stop)
		os.Exit(1)
	}()
	return ctx, func() os.Signal { s, _ := first.Load().(os.Signal); return s }
}
