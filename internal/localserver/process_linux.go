package localserver

import "syscall"

// childAttr puts a child into a process group of its own, makes it run as the given
// account, and has the kernel send it the signal death when the thread that started
// it ends.
func childAttr(as *account, death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: death, Credential: as.credential()}
}
