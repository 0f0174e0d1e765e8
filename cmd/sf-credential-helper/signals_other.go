//go:build !unix

package main

import "os"

const endOfInput = "Ctrl-Z, Enter"

// dieOf does nothing where processes do not die of signals.
func dieOf(os.Signal) {}
