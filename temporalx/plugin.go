package temporalx

import (
	"fmt"

	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Plugin is what a client is given among its Plugins. Workers that are made of the client
// have it too, and are not to be given it again. A replayer is, and needs the
// OriginalExecution of a history, for the workflow's id is part of what is checked; test
// environments get it by package temporalxtest.
//
// Workflows that were begun before there was a plugin carry no tenant, and are refused when
// a worker replays them: let them end first, or give the plugin's workers other task queues.
//
// The errors are about the settings of cfg.
func Plugin(cfg Config) (*temporal.SimplePlugin, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("temporalx: %w", err)
	}
	options := temporal.SimplePluginOptions{
		Name:               "tenantwall",
		ContextPropagators: []workflow.ContextPropagator{propagator{cfg: cfg}},
		ClientInterceptors: []interceptor.ClientInterceptor{&clientInterceptor{cfg: cfg}},
		WorkerInterceptors: []interceptor.WorkerInterceptor{&workerInterceptor{cfg: cfg}},
	}
	// Those that follow count on the ones above, which have found out for whom a call is.
	cfg.Dispatch.plug(&options)
	if cfg.Encryption != nil {
		cfg.Encryption.plug(&options)
	}
	return temporal.NewSimplePlugin(options)
}
