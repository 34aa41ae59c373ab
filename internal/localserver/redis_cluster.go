package localserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"sync"
)

// clusterSlots is how many hash slots every Redis Cluster has.
const clusterSlots = 16384

// RedisCluster is a running Redis Cluster of masters that keep nothing. Its methods may be
// called from several goroutines at once.
type RedisCluster struct {
	Nodes []*Redis // with one password
}

// StartRedisCluster starts so many masters, at least the three that Redis asks for, each
// with its share of the slots, and returns once all agree that the cluster is whole. It
// needs Redis 7. Otherwise it is like [StartRedis].
func StartRedisCluster(ctx context.Context, masters int) (_ *RedisCluster, err error) {
	ctx, cancel := starting(ctx)
	defer cancel()
	c := &RedisCluster{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("localserver: Redis Cluster: %w", err), c.Close())
		}
	}()
	if masters < 3 {
		return nil, fmt.Errorf("%d masters are less than 3", masters)
	}
	password := rand.Text()
	for range masters {
		bus, err := freePort()
		if err != nil {
			return nil, err
		}
		node, err := startRedis(ctx, password, map[string]string{"cluster-enabled": "yes", "cluster-port": strconv.Itoa(bus)}, (*Redis).command)
		if err != nil {
			return nil, err
		}
		node.bus = bus
		c.Nodes = append(c.Nodes, node)
	}
	if err := c.join(ctx); err != nil {
		return nil, err
	}
	return c, c.agree(ctx)
}

// join makes the nodes known to the first and shares the slots out.
func (c *RedisCluster) join(ctx context.Context) error {
	for i, node := range c.Nodes {
		from, to := i*clusterSlots/len(c.Nodes), (i+1)*clusterSlots/len(c.Nodes)-1
		if err := node.want(ctx, fmt.Sprintf("CLUSTER ADDSLOTSRANGE %d %d", from, to), "+OK"); err != nil {
			return err
		}
		if i > 0 {
			if err := c.Nodes[0].want(ctx, fmt.Sprintf("CLUSTER MEET 127.0.0.1 %d %d", node.port, node.bus), "+OK"); err != nil {
				return err
			}
		}
	}
	return nil
}

// agree waits until each node knows all others and finds all slots served.
func (c *RedisCluster) agree(ctx context.Context) error {
	for _, node := range c.Nodes {
		if err := node.until(ctx, "CLUSTER INFO", "cluster_state:ok", fmt.Sprintf("cluster_known_nodes:%d\r", len(c.Nodes))); err != nil {
			return fmt.Errorf("the nodes don't agree: %w", err)
		}
	}
	return nil
}

// Addrs are the addresses of all nodes, as host:port.
func (c *RedisCluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr()
	}
	return addrs
}

// Password is the nodes' password, made for this run.
func (c *RedisCluster) Password() string { return c.Nodes[0].password }

// Close stops all nodes, see [Redis.Close].
func (c *RedisCluster) Close() error { return closeAll(c.Nodes) }

// closeAll stops servers at once.
func closeAll(nodes []*Redis) error {
	problems := make([]error, len(nodes))
	var closing sync.WaitGroup
	for i, node := range nodes {
		closing.Go(func() { problems[i] = node.Close() })
	}
	closing.Wait()
	return errors.Join(problems...)
}
