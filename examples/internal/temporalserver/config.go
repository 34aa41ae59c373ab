//go:build !notes_lean

package temporalserver

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
)

const (
	loopback    = "127.0.0.1"
	clusterName = "active"

	// joinTimeout bounds how long a service waits for the others of this process.
	joinTimeout = 10 * time.Second

	// shards are what workflows are spread over; those of one take turns. A tenant that fills
	// a queue had others wait almost three times as long with 1 as with 8, which cost no
	// memory and no time at the start that one could measure.
	shards = 8

	// longPoll is how long a question for what a workflow does next stays open.
	longPoll = 2 * time.Second
)

// services are the server's parts, each with two ports, the first of them the one that
// clients connect to.
var services = []primitives.ServiceName{
	primitives.FrontendService, primitives.HistoryService, primitives.MatchingService, primitives.WorkerService,
}

// settings are what the server reads as its dynamic configuration.
func settings(cfg Config) dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.MatchingUseNewMatcher.Key():  true,
		dynamicconfig.MatchingEnableFairness.Key(): !cfg.WithoutFairness,
		// Each partition of a queue is fair by itself alone.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  max(1, cfg.Partitions),
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): max(1, cfg.Partitions),
		// How long who waits for the end of a workflow may wait in vain: the server keeps one
		// notice for each, and loses the next while it is busy with that.
		dynamicconfig.HistoryLongPollExpirationInterval.Key(): longPoll,
		// A search attribute that was added a moment ago can be used.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
	}
}

// serverConfig is the configuration of a server that is a cluster of its own. ports are
// two for each service.
func serverConfig(store *config.SQL, ports []int) *config.Config {
	addr := net.JoinHostPort(loopback, strconv.Itoa(ports[0]))
	cfg := &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: joinTimeout, BroadcastAddress: loopback},
		},
		Persistence: config.Persistence{
			DefaultStore:     sqlite.PluginName,
			VisibilityStore:  sqlite.PluginName,
			NumHistoryShards: shards,
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: addr},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        config.PublicClient{HostPort: addr},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: "disabled"},
			Visibility: config.VisibilityArchival{State: "disabled"},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
		}},
		Services: make(map[string]config.Service, len(services)),
	}
	for i, name := range services {
		cfg.Services[string(name)] = config.Service{RPC: config.RPC{
			GRPCPort: ports[2*i], MembershipPort: ports[2*i+1], BindOnIP: loopback,
		}}
	}
	return cfg
}

// freePorts finds the ports of a server. The first is as asked for, unless that is 0.
func freePorts(ctx context.Context, first int) ([]int, error) {
	var held []net.Listener // until all are found, so that none comes twice
	defer func() {
		for _, l := range held {
			_ = l.Close() // nothing was written
		}
	}()
	ports := make([]int, 2*len(services))
	for i := range ports {
		port := 0
		if i == 0 {
			port = first
		}
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			return nil, fmt.Errorf("port %d: %w", port, err)
		}
		held = append(held, l)
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, fmt.Errorf("a listener's address is %T", l.Addr())
		}
		ports[i] = addr.Port
	}
	return ports, nil
}
