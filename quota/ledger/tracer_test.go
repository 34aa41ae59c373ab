package ledger_test

import (
	"context"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// tracer counts statements that read plans, and holds them before they begin or after they
// have ended.
type tracer struct {
	queries    atomic.Int64
	start, end atomic.Pointer[chan struct{}]
	held       chan struct{} // gets a value when one is held
}

func newTracer() *tracer { return &tracer{held: make(chan struct{}, 100)} }

// hold holds statements before they begin until c is closed; nil holds none.
func (r *tracer) hold(c chan struct{}) { set(&r.start, c) }

// holdEnd holds statements after they have ended.
func (r *tracer) holdEnd(c chan struct{}) { set(&r.end, c) }

func set(to *atomic.Pointer[chan struct{}], c chan struct{}) {
	if c == nil {
		to.Store(nil)
		return
	}
	to.Store(&c)
}

type isPlan struct{}

func (r *tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(data.SQL, "quota_revision r") {
		return ctx
	}
	r.queries.Add(1)
	if c := r.start.Load(); c != nil {
		r.held <- struct{}{}
		<-*c
	}
	return context.WithValue(ctx, isPlan{}, true)
}

func (r *tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if c := r.end.Load(); c != nil && ctx.Value(isPlan{}) != nil {
		r.held <- struct{}{}
		<-*c
	}
}
