package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// parentCheck is how often it is looked whether the parent lives.
const parentCheck = 250 * time.Millisecond

// errOrphaned is the cause with which the context of [withParent] is done.
var errOrphaned = errors.New("the parent process has ended")

// withParent returns a context that is done when whoever started this process ends, so
// that nothing is left over when a terminal, a test or a script is killed.
//
// A process that loses its parent gets another one, on all unixes, and can see that. The
// signal that Linux offers for this is not used: it comes when the thread ends that
// started the process, which with a parent written in Go may be long before the parent.
func withParent(ctx context.Context, by starter) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		tick := time.NewTicker(parentCheck)
		defer tick.Stop()
		for by.lives() {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		cancel(errOrphaned)
	}()
	return ctx, func() { cancel(nil) }
}

// starter is who started this process: the parent, and if that is "go run", which only
// passes on what it is asked, its own parent as well.
type starter struct {
	parent      int
	grandparent int // 0: not looked at
}

func whoStarted() starter {
	by := starter{parent: os.Getppid()}
	if name, parent := lookAt(by.parent); name == "go" {
		by.grandparent = parent
	}
	return by
}

// lives reports whether the starter is still there.
func (by starter) lives() bool {
	if os.Getppid() != by.parent {
		return false
	}
	_, grandparent := lookAt(by.parent)
	return by.grandparent == 0 || by.grandparent == grandparent
}

// lookAt is a process's name and its parent, as far as the system tells: Linux does, in
// the file whose beginning is "123 (name) S 122". Elsewhere both are zero.
func lookAt(pid int) (name string, parent int) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0
	}
	return parseStat(string(stat))
}

// parseStat reads what lookAt wants of the file. The name may itself hold parentheses.
func parseStat(stat string) (name string, parent int) {
	begin, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if begin < 0 || end < begin {
		return "", 0
	}
	var state string
	if _, err := fmt.Sscan(stat[end+1:], &state, &parent); err != nil {
		return "", 0
	}
	return stat[begin+1 : end], parent
}
