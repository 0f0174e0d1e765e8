//go:build linux || freebsd

package keychaintest

import "syscall"

const (
	unfit = ""
	stop  = syscall.SIGSTOP
	cont  = syscall.SIGCONT
)

func dieWithUs() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
