package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/examples/internal/devstack"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/ledger"
	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
)

// quotaTimeout is what a request may wait for Redis before this process counts by itself.
const quotaTimeout = 500 * time.Millisecond

// quotas are what holds tenants to their plans.
type quotas struct {
	book    *ledger.Ledger // plans, and what they say of seats
	client  *redis.Client
	limiter *quota.Limiter

	// limit takes each request from the tenant's plan. It stands behind the guards.
	limit func(http.Handler) http.Handler
}

// openBook opens what is kept of quotas in PostgreSQL.
func (q *quotas) openBook(ctx context.Context, control *pgxpool.Pool, own []quota.Plan, log *slog.Logger) (err error) {
	if own == nil {
		own = plans()
	}
	q.book, err = ledger.Open(ctx, control, ledger.Config{Default: defaultPlan, Plans: own, Logger: log})
	return err
}

// openLimiter opens what counts, in Redis, which may be away.
func (q *quotas) openLimiter(rd *devstack.Redis, prefix string, told telemetry, log *slog.Logger) (err error) {
	// What is sent again after its answer was lost is counted twice.
	if q.client, err = rd.NewClient(func(o *redis.Options) { o.MaxRetries = -1 }); err != nil {
		return err
	}
	if err := told.commands(q.client); err != nil {
		return err
	}
	backend, err := quota.NewRedis(q.client, quota.RedisConfig{Prefix: prefix + ":q:"})
	if err != nil {
		return err
	}
	q.limiter, err = quota.New(backend, q.book, quota.Config{
		Timeout: quotaTimeout, Units: q.book, Recorder: q.book, Hooks: told.denials(), Logger: log,
	})
	if err != nil {
		return err
	}
	limit, err := q.limiter.NewMiddleware(quota.MiddlewareConfig{Cost: quota.Each(quota.Cost{Limit: limitRequests, N: 1})})
	if err != nil {
		return err
	}
	q.limit = func(next http.Handler) http.Handler { return limit(told.admitted(next)) }
	return nil
}

// close ends what runs for quotas. It is safe when they were never opened.
func (q *quotas) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	var errs []error
	if q.limiter != nil {
		errs = append(errs, q.limiter.Close(ctx))
	}
	if q.client != nil {
		errs = append(errs, q.client.Close())
	}
	if q.book != nil {
		errs = append(errs, q.book.Close(ctx))
	}
	return errors.Join(errs...)
}

// exportsAtATime is how many exports the tenant's plan lets run at a time, or
// [quota.Unlimited].
func (q *quotas) exportsAtATime(ctx context.Context, t tenant.Tenant) (int64, error) {
	plan, err := q.book.Plan(ctx, t)
	if err != nil {
		return 0, err
	}
	for _, c := range plan.Concurrency {
		if c.Name == limitExports {
			return c.Limit, nil
		}
	}
	return quota.Unlimited, nil
}

// exportSlots hold the jobs of a tenant to its plan's number of exports at a time, in all
// processes together. One above it, such as one that was begun under a larger plan, waits for
// its turn.
type exportSlots struct{ limiter *quota.Limiter }

// Acquire implements [temporalx.Slots].
func (e exportSlots) Acquire(ctx context.Context, of tenant.Tenant, activityType string) (release func(), retryAfter time.Duration, err error) {
	if activityType != writeExportName {
		return func() {}, 0, nil
	}
	slot, d, err := e.limiter.Acquire(ctx, of, quota.Request{Costs: []quota.Cost{{Limit: limitExports, N: 1}}})
	if err != nil {
		return nil, 0, err
	}
	if slot == nil {
		return nil, max(d.RetryAfter, 100*time.Millisecond), nil
	}
	return func() { _ = slot.Release(context.WithoutCancel(ctx)) }, 0, nil // one that is not told of comes back by itself
}

// fairness is how the tenants of a plan stand towards others where jobs queue.
func fairness() map[string]temporalx.Fairness {
	weights := make(map[string]temporalx.Fairness)
	for _, p := range plans() {
		weights[p.Name] = temporalx.Fairness{Weight: float32(p.Workflow.FairnessWeight), PriorityKey: p.Workflow.PriorityKey}
	}
	return weights
}

// forgetTenant removes what is kept of a tenant outside its schema.
func forgetTenant(ctx context.Context, tx pgx.Tx, id tenant.ID) error {
	if err := invite.Forget(ctx, tx, id); err != nil {
		return err
	}
	if err := apikey.Forget(ctx, tx, id); err != nil {
		return err
	}
	return ledger.Forget(ctx, tx, id)
}

// quotaView is what a tenant may use, and what it has left.
type quotaView struct {
	Plan   string      `json:"plan"`
	Limits []limitView `json:"limits"`
	Seats  seatsView   `json:"seats"`
}

type limitView struct {
	Name         string `json:"name"`
	Limit        int64  `json:"limit"`
	Remaining    int64  `json:"remaining"`
	ResetSeconds int64  `json:"reset_seconds"`
}

type seatsView struct {
	Used  int `json:"used"`
	Limit int `json:"limit"`
}

// showQuota only looks: a client that is cut off may ask how long for.
func (s *server) showQuota(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	plan, err := s.quotas.book.Plan(r.Context(), t)
	if err != nil {
		return err
	}
	d, err := s.quotas.limiter.Peek(r.Context(), t)
	if err != nil {
		return err
	}
	used, err := s.members.SeatsUsed(r.Context(), t.ID)
	if err != nil {
		return err
	}
	view := quotaView{Plan: d.Plan, Limits: []limitView{}, Seats: seatsView{Used: used, Limit: plan.Seats}}
	for _, l := range d.Limits {
		view.Limits = append(view.Limits, limitView{
			Name: l.Name, Limit: l.Limit, Remaining: l.Remaining, ResetSeconds: int64((l.ResetAfter + time.Second - 1) / time.Second),
		})
	}
	return writeJSON(w, http.StatusOK, view)
}

// checkPlan finds out whether there is a plan of this name.
func (v *invalid) checkPlan(ctx context.Context, field, name string, book *ledger.Ledger) error {
	_, err := book.PlanNamed(ctx, name)
	if !errors.Is(err, quota.ErrUnknownPlan) {
		return err
	}
	stored, err := book.StoredPlans(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, p := range stored {
		names = append(names, p.Name)
	}
	v.add(field, fmt.Sprintf("must be one of %v", names))
	return nil
}
