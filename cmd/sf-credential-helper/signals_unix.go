//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

const endOfInput = "Ctrl-D"

// dieOf ends the process by the signal that stopped it, so that a shell sees it and stops too.
func dieOf(s os.Signal) {
	if n, ok := s.(syscall.Signal); ok {
		signal.Reset(n)
		_ = syscall.Kill(os.Getpid(), n)
		time.Sleep(time.Second) // until it arrives
	}
}
