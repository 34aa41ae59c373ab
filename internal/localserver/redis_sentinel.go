package localserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
)

// sentinelMaster is the name by which the sentinel knows its master.
const sentinelMaster = "main"

// RedisSentinel is a Redis master that keeps nothing, a replica of it, and a sentinel that
// makes the replica the master when the master has been away for a while. Its methods may
// be called from several goroutines at once.
type RedisSentinel struct {
	// Master and Replica are what they were at the start, and Sentinel watches them. They
	// have one password.
	Master, Replica, Sentinel *Redis
}

// StartRedisSentinel starts the three and returns once the sentinel knows the replica. A
// single sentinel decides alone, half a second after its master has fallen silent. It is
// like [StartRedis] otherwise.
func StartRedisSentinel(ctx context.Context) (_ *RedisSentinel, err error) {
	ctx, cancel := starting(ctx)
	defer cancel()
	s := &RedisSentinel{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("localserver: Redis Sentinel: %w", err), s.Close())
		}
	}()
	password := rand.Text()
	node := func(further map[string]string) (*Redis, error) {
		further["masterauth"] = password // the master is a replica one day
		return startRedis(ctx, password, further, (*Redis).command)
	}
	if s.Master, err = node(map[string]string{"repl-diskless-sync-delay": "0"}); err != nil {
		return nil, err
	}
	if s.Replica, err = node(map[string]string{"replicaof": "127.0.0.1 " + strconv.Itoa(s.Master.port)}); err != nil {
		return nil, err
	}
	// Before the sentinel asks, for it asks again only after ten seconds.
	if err := s.Master.until(ctx, "INFO replication", "state=online"); err != nil {
		return nil, err
	}
	if err := s.Replica.until(ctx, "INFO replication", "master_link_status:up"); err != nil {
		return nil, err
	}
	s.Sentinel, err = startRedis(ctx, password, map[string]string{
		"sentinel monitor " + sentinelMaster:                 fmt.Sprintf("127.0.0.1 %d 1", s.Master.port),
		"sentinel auth-pass " + sentinelMaster:               password,
		"sentinel down-after-milliseconds " + sentinelMaster: "500",
		"sentinel failover-timeout " + sentinelMaster:        "5000",
	}, (*Redis).sentinelCommand)
	if err != nil {
		return nil, err
	}
	return s, s.Sentinel.until(ctx, "INFO sentinel", "status=ok", "slaves=1")
}

// sentinelCommand runs a sentinel, which keeps what it knows in its configuration.
func (r *Redis) sentinelCommand(path, conf string, as *account) (*exec.Cmd, error) {
	file, err := r.run.write("sentinel.conf", conf, as)
	if err != nil {
		return nil, err
	}
	return exec.Command(path, file, "--sentinel"), nil
}

// MasterName is the name by which clients ask the sentinel for the master.
func (s *RedisSentinel) MasterName() string { return sentinelMaster }

// Password is the one of all three, made for this run.
func (s *RedisSentinel) Password() string { return s.Master.password }

// Close stops all three, see [Redis.Close].
func (s *RedisSentinel) Close() error {
	var nodes []*Redis
	for _, node := range []*Redis{s.Sentinel, s.Replica, s.Master} {
		if node != nil {
			nodes = append(nodes, node)
		}
	}
	return closeAll(nodes)
}
