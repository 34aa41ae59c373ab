package localserver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	runPrefix = "tenantwall-"
	lockName  = "owner.lock"

	// longestRun leaves room for a socket's name in the 104 bytes that macOS grants a
	// socket's path (Linux: 108).
	longestRun = 80
)

// ErrInUse says that another process has the folder that a server was to keep its
// data in.
var ErrInUse = errors.New("folder in use by another process")

// lockedFolder is a folder that this process holds, until it releases it or dies.
type lockedFolder struct {
	path string
	lock *os.File
}

// lockFolder takes hold of an existing folder. The lock is the kernel's (flock), so
// that one left by a dead process is never in the way. ErrInUse when it is taken.
func lockFolder(path string) (*lockedFolder, error) {
	f, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", path, ErrInUse)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return &lockedFolder{path: path, lock: f}, nil
}

// newRunFolder makes the folder for one run of one server (its sockets, its
// configuration, and its data when they are thrown away), owned by the account, and
// removes those that killed processes have left behind. The folder is in memory when
// that is asked for and there is plenty.
func newRunFolder(server string, as *account, inMemory bool) (*lockedFolder, error) {
	bases := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if inMemory && plentyOfMemory() {
		bases = slices.Insert(bases, 0, memoryFolder)
	}
	var why error
	for _, base := range bases {
		if len(base) > longestRun-len(runPrefix)-len(server)-12 {
			why = errors.Join(why, fmt.Errorf("the path of a socket in %s would be too long", base))
			continue
		}
		if err := as.canEnter(base); err != nil {
			why = errors.Join(why, err)
			continue
		}
		sweep(base, as)
		path, err := os.MkdirTemp(base, runPrefix+server+"-")
		if err != nil {
			why = errors.Join(why, err)
			continue
		}
		if err := as.own(path); err != nil {
			return nil, errors.Join(err, os.Remove(path))
		}
		f, err := lockFolder(path)
		if err != nil {
			return nil, errors.Join(err, os.RemoveAll(path))
		}
		return f, nil
	}
	return nil, fmt.Errorf("no folder for temporary files: %w", why)
}

// sweep removes the run folders in base that nobody holds. It touches only what
// belongs to this user or the servers' account, and nothing so young that its owner
// may be about to lock it. What can't be removed stays; it is only room on a disk.
func sweep(base string, as *account) {
	dirs, _ := filepath.Glob(filepath.Join(base, runPrefix+"*"))
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || int(st.Uid) != os.Geteuid() && (as == nil || st.Uid != as.uid) {
			continue
		}
		if lock, err := os.Lstat(filepath.Join(dir, lockName)); err != nil || !lock.Mode().IsRegular() {
			continue // not one of ours, however it is named
		}
		f, err := lockFolder(dir)
		if err != nil {
			continue
		}
		if livesOutside(dir) {
			f.release()
			continue
		}
		_ = f.remove()
	}
}

// write creates a file in the folder that only the account can read.
func (f *lockedFolder) write(name, content string, as *account) (string, error) {
	path := filepath.Join(f.path, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return "", err
	}
	return path, as.own(path)
}

// release lets go of the folder and leaves it.
func (f *lockedFolder) release() {
	_ = f.lock.Close() // the lock goes with the descriptor; nothing was written
}

// remove deletes the folder, then lets go of it.
func (f *lockedFolder) remove() error {
	err := os.RemoveAll(f.path)
	f.release()
	return err
}

// memoryFolder is where Linux keeps files in memory. Making a database is making 300
// files, which on some disks takes a quarter of a second, and here a tenth of that.
const memoryFolder = "/dev/shm"

// plentyOfMemory reports whether the memoryFolder and the machine have 4 GiB free each:
// room for the servers of a few test binaries at once. The usual 64 MiB of a container
// are not.
func plentyOfMemory() bool {
	const enough = 4 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memoryFolder, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < enough {
		return false
	}
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(info), "MemAvailable:")
	var kib uint64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return false
	}
	return kib<<10 >= enough
}

// livesOutside reports whether a PostgreSQL that has lost its parent still has its
// socket in dir, and its data elsewhere: the next start on those data needs the socket
// to find it. One with its data in dir ends by itself when they are removed.
func livesOutside(dir string) bool {
	if _, err := os.Lstat(filepath.Join(dir, "data")); err == nil {
		return false
	}
	sockets, _ := filepath.Glob(filepath.Join(dir, ".s.PGSQL.*[0-9]"))
	for _, socket := range sockets {
		if conn, err := net.DialTimeout("unix", socket, time.Second); err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}
