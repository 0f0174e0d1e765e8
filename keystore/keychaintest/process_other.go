//go:build !linux && !freebsd

package keychaintest

import (
	"runtime"
	"syscall"
)

const (
	unfit = "no gnome-keyring session on " + runtime.GOOS + ": only Linux and FreeBSD kill a daemon with its parent"
	stop  = syscall.SIGKILL
	cont  = syscall.SIGKILL
)

func dieWithUs() *syscall.SysProcAttr { return nil }

func ownGroup() *syscall.SysProcAttr { return nil }
