package temporalx_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/temporalx/temporalxtest"
	"github.com/tenantwall/tenantwall/tenant"
)

// life is a Lifecycle on a site, whose workflows run in the SDK's environment.
type life struct {
	*site
	cfg    temporalx.LifecycleConfig
	losing string // the answer to the first attempt of this activity is lost, as when a worker dies
	always bool   // the answers to all later attempts are lost too

	mu  sync.Mutex
	ran []string // activities, in the order of their ends, without the prefix
}

func newLife(s *site) *life {
	s.Helper()
	c, err := client.NewLazyClient(client.Options{}) // which the environment has no use for
	require.NoError(s, err)
	s.Cleanup(c.Close)
	return &life{site: s, cfg: temporalx.LifecycleConfig{Catalog: s.catalog, Client: c, TaskQueue: "lives"}}
}

// environment is one for a workflow of the Lifecycle, as the system starts it.
func (l *life) environment() *testsuite.TestWorkflowEnvironment {
	l.Helper()
	plugin, err := temporalx.Plugin(temporalx.Config{Store: l.catalog})
	require.NoError(l, err)
	env := suite().NewTestWorkflowEnvironment()
	options := client.StartWorkflowOptions{ID: temporalx.SystemWorkflowID("life"), TaskQueue: "lives"}
	require.NoError(l, temporalxtest.Prepare(temporalx.System(l.Context(), "test"), env, plugin, options))
	env.SetTestTimeout(5 * time.Minute)
	made, err := temporalx.NewLifecycle(l.cfg)
	require.NoError(l, err)
	made.Register(recorder{env, l})
	return env
}

// steps are the activities that ran.
func (l *life) steps() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.ran)
}

var errLost = errors.New("the worker died before it could tell")

// recorder notes each activity that runs, and loses the answer of one.
type recorder struct {
	worker.Registry
	life *life
}

func (r recorder) RegisterActivityWithOptions(fn any, options activity.RegisterOptions) {
	run := reflect.ValueOf(fn)
	r.Registry.RegisterActivityWithOptions(reflect.MakeFunc(run.Type(), func(args []reflect.Value) []reflect.Value {
		out := run.Call(args)
		name := strings.TrimPrefix(options.Name, "tenantwall.")
		r.life.mu.Lock()
		defer r.life.mu.Unlock()
		r.life.ran = append(r.life.ran, name)
		if name == r.life.losing {
			if !r.life.always {
				r.life.losing = ""
			}
			out[len(out)-1] = reflect.ValueOf(&errLost).Elem()
		}
		return out
	}).Interface(), options)
}

func TestALifecycleChecksItsSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for want, change := range map[string]func(*temporalx.LifecycleConfig){
		"Catalog is needed":   func(c *temporalx.LifecycleConfig) { c.Catalog = nil },
		"Client is needed":    func(c *temporalx.LifecycleConfig) { c.Client = nil },
		"TaskQueue is needed": func(c *temporalx.LifecycleConfig) { c.TaskQueue = "" },
		"needs Undo": func(c *temporalx.LifecycleConfig) {
			c.Before = func(context.Context, temporalx.Provision) error { return nil }
		},
		"GracePeriod is -1ns": func(c *temporalx.LifecycleConfig) { c.GracePeriod = -1 },
		"DrainTimeout is -1":  func(c *temporalx.LifecycleConfig) { c.DrainTimeout = -1 },
		"GiveUpAfter is -1":   func(c *temporalx.LifecycleConfig) { c.GiveUpAfter = -1 },
	} {
		cfg := newLife(s).cfg
		change(&cfg)
		_, err := temporalx.NewLifecycle(cfg)
		require.ErrorContains(t, err, want)
	}
}

// newProvision is a tenant to be made.
func newProvision() temporalx.Provision {
	return temporalx.Provision{ID: tenant.NewID(), Slug: "acme-corp", Name: "Acme Corp", Plan: "pro", Args: []byte(`{"owner":"ada"}`), GiveUpAfter: time.Minute}
}
