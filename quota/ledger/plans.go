package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/tenant"
)

// PutPlan makes p the state of its plan that is in force, on the next request in this
// process and within [Config.TTL] in others. It returns p with the version that it has got,
// one above that of the state before; p.Version is not looked at. A plan that is the same
// already stays as it is. The error is [quota.ErrBadPlan] for one that is not valid.
func (l *Ledger) PutPlan(ctx context.Context, p quota.Plan) (quota.Plan, error) {
	p.Version = 0
	if err := p.Validate(); err != nil {
		return quota.Plan{}, fmt.Errorf("ledger: %w", err)
	}
	return l.putPlan(ctx, p, true)
}

// putPlan stores a valid plan, and over one that is there only when replace says so.
func (l *Ledger) putPlan(ctx context.Context, p quota.Plan, replace bool) (quota.Plan, error) {
	text, err := documentOf(p).text()
	if err != nil {
		return quota.Plan{}, fmt.Errorf("ledger: store plan %q: %w", p.Name, err)
	}
	changed := false
	err = l.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, sqlRevise); err != nil {
			return err
		}
		var before []byte
		err := tx.QueryRow(ctx, sqlLatest, p.Name).Scan(&p.Version, &before)
		switch {
		case err == nil && (!replace || sameJSON(before, []byte(text))):
			return errUnchanged
		case err != nil && !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		p.Version++
		changed = true
		_, err = tx.Exec(ctx, sqlPutPlan, p.Name, p.Version, text, l.now())
		return err
	})
	if err != nil && !errors.Is(err, errUnchanged) {
		return quota.Plan{}, fmt.Errorf("ledger: store plan %q: %w", p.Name, err)
	}
	if changed {
		l.changed(tenant.ID{})
	}
	return p, nil
}

// errUnchanged takes back what a change that is none has done.
var errUnchanged = errors.New("nothing has changed")

// changed tells of a change that is committed.
func (l *Ledger) changed(in tenant.ID) {
	l.Forget()
	if l.cfg.OnChange != nil {
		l.cfg.OnChange(in)
	}
}

// sameJSON reports whether two documents say the same, in whatever order and spacing: the
// database has its own.
func sameJSON(a, b []byte) bool {
	var x, y any
	return unmarshal(a, &x) == nil && unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func unmarshal(text []byte, value any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber() // a float64 takes two large numbers for one
	return dec.Decode(value)
}

// StoredPlan is one state that a plan has or had.
type StoredPlan struct {
	quota.Plan
	MadeAt time.Time
}

// PlanNamed is the state of a plan that is in force, without what any tenant has besides.
// It asks the database. The error is [quota.ErrUnknownPlan] when there is none.
func (l *Ledger) PlanNamed(ctx context.Context, name string) (StoredPlan, error) {
	return l.PlanVersion(ctx, name, 0)
}

// PlanVersion is a state that a plan has or had, by its version; 0 is the one in force. It
// asks the database. The error is [quota.ErrUnknownPlan] when there is none.
func (l *Ledger) PlanVersion(ctx context.Context, name string, version int64) (StoredPlan, error) {
	if quota.CheckName(name) != nil { // no plan has it, and PostgreSQL takes no U+0000
		return StoredPlan{}, fmt.Errorf("ledger: %w: %q", quota.ErrUnknownPlan, name)
	}
	stored, err := scanPlan(l.pool.QueryRow(ctx, sqlVersion, name, version))
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return StoredPlan{}, fmt.Errorf("ledger: %w: %q", quota.ErrUnknownPlan, name)
	case err != nil:
		return StoredPlan{}, fmt.Errorf("ledger: read plan %q: %w", name, err)
	}
	return stored, nil
}

// StoredPlans are the plans in force, in the order of their names. It asks the database.
func (l *Ledger) StoredPlans(ctx context.Context) ([]StoredPlan, error) {
	rows, _ := l.pool.Query(ctx, sqlPlans) // CollectRows tells the error
	plans, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (StoredPlan, error) { return scanPlan(row) })
	if err != nil {
		return nil, fmt.Errorf("ledger: list plans: %w", err)
	}
	return plans, nil
}

func scanPlan(row pgx.Row) (StoredPlan, error) {
	var name string
	var version int64
	var text []byte
	var s StoredPlan
	if err := row.Scan(&name, &version, &text, &s.MadeAt); err != nil {
		return StoredPlan{}, err
	}
	d, err := parse(text)
	if err != nil {
		return StoredPlan{}, err
	}
	s.Plan, s.MadeAt = d.plan(name, version), s.MadeAt.UTC()
	return s, nil
}
