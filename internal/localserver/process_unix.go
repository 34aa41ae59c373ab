//go:build unix && !linux

package localserver

import "syscall"

// childAttr puts a child into a process group of its own and makes it run as the
// given account. There is no signal at the parent's death outside Linux.
func childAttr(as *account, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
}
