package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is what a number of operations has used.
type cost struct {
	client, server time.Duration // of CPU
	wall           time.Duration
	operations     int
}

// meter reads the CPU time of this process and of a PostgreSQL server's processes.
type meter struct{ postmaster int }

// measure runs work, which says how many operations it did. Processes of the server that
// begin or end meanwhile are not counted.
func (m meter) measure(work func() (int, error)) (cost, error) {
	before, err := m.server()
	if err != nil {
		return cost{}, err
	}
	client, start := ownCPU(), time.Now()
	n, err := work()
	if err != nil {
		return cost{}, err
	}
	c := cost{wall: time.Since(start), client: ownCPU() - client, operations: n}
	for pid, used := range before {
		if now, ok := processCPU(pid); ok {
			c.server += now - used
		}
	}
	return c, nil
}

// server is the CPU time of each of the server's processes, which are the children of the
// first one. They have one thread each.
func (m meter) server() (map[int]time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	used := map[int]time.Duration{}
	for _, file := range files {
		fields, ok := statFields(file)
		if !ok {
			continue // it has ended since
		}
		if parent, err := strconv.Atoi(fields[1]); err != nil || parent != m.postmaster {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		if cpu, ok := processCPU(pid); ok {
			used[pid] = cpu
		}
	}
	if len(used) == 0 {
		return nil, fmt.Errorf("no processes of the server %d in /proc: this command needs Linux", m.postmaster)
	}
	return used, nil
}

// statFields are the fields of /proc/<pid>/stat from the third on, the state: the second,
// in parentheses, may hold anything (proc(5)).
func statFields(file string) ([]string, bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, false
	}
	_, rest, _ := strings.Cut(string(content), ") ")
	fields := strings.Fields(rest)
	return fields, len(fields) >= 13
}

// processCPU is a process's CPU time: to the nanosecond from schedstat, or where the kernel
// has none to the hundredth of a second (USER_HZ, which is 100 everywhere) from stat.
func processCPU(pid int) (time.Duration, bool) {
	folder := "/proc/" + strconv.Itoa(pid)
	if content, err := os.ReadFile(filepath.Join(folder, "schedstat")); err == nil {
		first, _, _ := strings.Cut(string(content), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		return time.Duration(ns), err == nil
	}
	fields, ok := statFields(filepath.Join(folder, "stat"))
	if !ok {
		return 0, false
	}
	var ticks int64
	for _, field := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, false
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, true
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // the arguments are right
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
