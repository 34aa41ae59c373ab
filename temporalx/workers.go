package temporalx

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/tenantwall/tenantwall/tenant"
)

// PoolConfig says which workers a [Pool] runs.
type PoolConfig struct {
	// Routing is that of the plugin. It must name a queue.
	Routing Routing

	// Register adds the workflows and activities of a queue to its worker. It is told the
	// queue's name, of which the part before the first slash is one of Routing.Queues. A
	// worker without any workflow or activity polls for nothing of that kind.
	Register func(w worker.Registry, queue string)

	// Options are those of a queue's worker; nil means the SDK's defaults. Bounds in them are
	// each worker's own: a process runs as much as those of all its workers together.
	Options func(queue string) worker.Options

	// Only, when not nil, picks the queues that this process serves, so that shards or tiers
	// have processes of their own.
	Only func(queue string) bool

	// Also are queues to be served beside those of the routing: what a former routing has
	// left behind.
	Also []string

	// MaxWorkers bounds the number of workers, up to 10000; 0 means 100. Each costs about
	// 1.75 MB and 114 goroutines, and polls the server.
	MaxWorkers int
}

const (
	defaultMaxWorkers = 100
	mostWorkers       = 10_000
)

// The errors of a [Pool].
var (
	ErrPoolFull   = errors.New("the pool runs as many workers as it may")
	ErrPoolClosed = errors.New("the pool is closed")
)

func (cfg PoolConfig) complete() (PoolConfig, error) {
	problems := []error{cfg.Routing.check()}
	if len(cfg.Routing.Queues) == 0 {
		problems = append(problems, errors.New("the setting Routing.Queues is empty: there is nothing to serve"))
	}
	if cfg.Register == nil {
		problems = append(problems, errors.New("the setting Register is nil: a worker needs workflows or activities"))
	}
	if cfg.Options == nil {
		cfg.Options = func(string) worker.Options { return worker.Options{} }
	}
	if cfg.Only == nil {
		cfg.Only = func(string) bool { return true }
	}
	switch n := cfg.MaxWorkers; {
	case n == 0:
		cfg.MaxWorkers = defaultMaxWorkers
	case n < 0 || n > mostWorkers:
		problems = append(problems, fmt.Errorf("the setting MaxWorkers is %d, and must be from 0 to %d", n, mostWorkers))
	}
	return cfg, errors.Join(problems...)
}

// Pool runs the workers of a [Routing] in this process: one for each queue that tenants
// share and for each of the system, as it starts, and those of single tenants as they are
// asked for. It is safe for concurrent use.
type Pool struct {
	client client.Client
	cfg    PoolConfig

	mu      sync.Mutex
	closed  bool
	workers map[string]worker.Worker // by queue
}

// NewPool returns a pool that runs nothing yet. The client has the plugin, and stays the
// caller's: close it after the pool. The errors are about the settings.
func NewPool(c client.Client, cfg PoolConfig) (*Pool, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, fmt.Errorf("temporalx: NewPool: %w", err)
	}
	cfg.Also = slices.Clone(cfg.Also)
	return &Pool{client: c, cfg: cfg, workers: make(map[string]worker.Worker)}, nil
}

// Start starts the workers of all queues but those of single tenants. When one does not
// start, those that did go on: call Close. The errors are [ErrPoolFull], [ErrPoolClosed]
// and the SDK's.
func (p *Pool) Start() error {
	return p.serve(append(p.cfg.Routing.Names(), p.cfg.Also...))
}

// Serve starts the workers of one tenant's own queues, when its plan has such and they do
// not run yet. Call it for each tenant that this process is to work for, as they are found
// or made. The errors are as those of Start.
func (p *Pool) Serve(of tenant.Tenant) error {
	return p.serve(p.cfg.Routing.TenantNames(of.ID, of.Plan))
}

// Leave stops the workers of one tenant's own queues, whatever its plan is by now, and
// waits for what they run, for as long as their WorkerStopTimeout. Work in these queues
// waits until somebody serves them.
func (p *Pool) Leave(of tenant.ID) {
	var stopped []worker.Worker
	p.mu.Lock()
	for _, base := range p.cfg.Routing.Queues {
		queue := join(base, tenantQueue, of.String())
		if w := p.workers[queue]; w != nil {
			delete(p.workers, queue)
			stopped = append(stopped, w)
		}
	}
	p.mu.Unlock()
	stopAll(stopped)
}

// Queues are the queues that have a worker now, sorted.
func (p *Pool) Queues() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.workers))
}

// Close stops all workers at once and waits for what they run, for as long as their
// WorkerStopTimeout. It may be called again.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	var running []worker.Worker
	for _, w := range p.workers {
		running = append(running, w)
	}
	clear(p.workers)
	p.mu.Unlock()
	stopAll(running)
}

func (p *Pool) serve(queues []string) error {
	var problems []error
	for _, queue := range queues {
		if !p.cfg.Only(queue) {
			continue
		}
		if err := p.run(queue); err != nil {
			problems = append(problems, fmt.Errorf("temporalx: serve the queue %s: %w", queue, err))
		}
	}
	return errors.Join(problems...)
}

// run starts a queue's worker, unless it has one. The lock is held while it starts, which
// asks the server whether the namespace exists, so that Close misses none.
func (p *Pool) run(queue string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrPoolClosed
	case p.workers[queue] != nil:
		return nil
	case len(p.workers) >= p.cfg.MaxWorkers:
		return ErrPoolFull
	}
	w := worker.New(p.client, queue, p.cfg.Options(queue))
	p.cfg.Register(w, queue)
	if err := w.Start(); err != nil {
		return err
	}
	p.workers[queue] = w
	return nil
}

func stopAll(workers []worker.Worker) {
	var all sync.WaitGroup
	for _, w := range workers {
		all.Go(w.Stop)
	}
	all.Wait()
}
