package temporalx_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/tenantwall/tenantwall/temporalx"
	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// account is what the hooks of the tests keep of each tenant, elsewhere.
type account struct{ opened, closed, seeded int }

// withAccount gives a Lifecycle hooks that open an account, and seed a note.
func (l *life) withAccount(a *account) {
	l.cfg.Before = func(context.Context, temporalx.Provision) error { a.opened++; return nil }
	l.cfg.Undo = func(context.Context, temporalx.Provision) error { a.closed++; return nil }
	l.cfg.Seed = func(ctx context.Context, tx pgx.Tx, t tenant.Tenant, p temporalx.Provision) error {
		a.seeded++
		_, err := tx.Exec(ctx, `INSERT INTO `+pgx.Identifier{tenantdb.SchemaName(t.ID), "note"}.Sanitize()+` (body) VALUES ($1)`, string(p.Args))
		return err
	}
}

func (l *life) provision(env *testsuite.TestWorkflowEnvironment, p temporalx.Provision) error {
	l.Helper()
	env.ExecuteWorkflow("tenantwall.ProvisionTenant", p)
	require.True(l, env.IsWorkflowCompleted())
	return env.GetWorkflowError()
}

// requireMade demands that the tenant is there, with one seed.
func (l *life) requireMade(p temporalx.Provision) {
	l.Helper()
	t, err := l.catalog.Lookup(l.Context(), tenant.ByID(p.ID))
	require.NoError(l, err)
	require.NoError(l, t.Usable())
	var notes []string
	rows, err := l.db.As(t).Query(l.Context(), `SELECT body FROM note`)
	require.NoError(l, err)
	notes, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(l, err)
	assert.Equal(l, []string{string(p.Args)}, notes)
	assert.Equal(l, []tenantdb.EventKind{tenantdb.EventReserved, tenantdb.EventCreated}, l.events(p.ID))
}

// Row 44.
func TestRow44_AProvisioningGoesOnAfterACrashBehindEachStep(t *testing.T) {
	t.Parallel()
	steps := []string{"FindTenant", "ReserveTenant", "BeforeTenant", "CreateTenant"}
	for _, crash := range append([]string{""}, steps...) {
		t.Run("crash behind "+crash, func(t *testing.T) {
			t.Parallel()
			var a account
			l := newLife(newSite(t))
			l.withAccount(&a)
			l.losing = crash
			p := newProvision()
			require.NoError(t, l.provision(l.environment(), p))
			l.requireMade(p)
			var want []string
			for _, s := range steps {
				if want = append(want, s); s == crash {
					want = append(want, s)
				}
			}
			assert.Equal(t, want, l.steps(), "nothing else is done again")
			assert.Equal(t, 1, a.seeded)
			assert.Zero(t, a.closed)
		})
	}
}

// Row 44.
func TestRow44_AFailedProvisioningUndoesWhatItDid(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*life){
		"the hook": func(l *life) {
			l.cfg.Before = func(context.Context, temporalx.Provision) error {
				return &tenant.Error{Code: tenant.CodeForbidden, Detail: "no account for you"}
			}
		},
		"the hook, again and again": func(l *life) {
			l.cfg.Before = func(context.Context, temporalx.Provision) error { return errors.New("no account for you") }
		},
		"the seed": func(l *life) {
			l.cfg.Seed = func(context.Context, pgx.Tx, tenant.Tenant, temporalx.Provision) error {
				return &tenant.Error{Code: tenant.CodeForbidden, Detail: "no account for you"}
			}
		},
	} {
		for _, crash := range []string{"", "UndoBefore", "ReleaseTenant"} {
			t.Run(name+" fails, crash behind "+crash, func(t *testing.T) {
				t.Parallel()
				var a account
				l := newLife(newSite(t))
				l.withAccount(&a)
				fail(l)
				l.losing = crash
				p := newProvision()
				err := l.provision(l.environment(), p)
				require.ErrorContains(t, err, "no account for you")
				status, schema := l.status(p.ID)
				assert.Equal(t, "none", status)
				assert.False(t, schema)
				assert.Positive(t, a.closed)
				l.tenant(p.Slug) // the slug is free
			})
		}
	}
}

// Row 44.
func TestRow44_AFailedProvisioningNeverTouchesWhatItFound(t *testing.T) {
	t.Parallel()
	refuse := func(context.Context, pgx.Tx, tenant.Tenant, temporalx.Provision) error {
		return &tenant.Error{Code: tenant.CodeForbidden, Detail: "no seed"}
	}
	t.Run("a reservation", func(t *testing.T) {
		t.Parallel()
		l := newLife(newSite(t))
		l.cfg.Seed = refuse
		p := newProvision()
		_, _, err := l.catalog.Reserve(t.Context(), tenantdb.NewTenant{ID: p.ID, Slug: p.Slug, Name: p.Name})
		require.NoError(t, err)
		require.Error(t, l.provision(l.environment(), p))
		status, _ := l.status(p.ID)
		assert.Equal(t, "provisioning", status)
	})
	t.Run("another tenant's slug", func(t *testing.T) {
		t.Parallel()
		var a account
		l := newLife(newSite(t))
		l.withAccount(&a)
		p := newProvision()
		owner := l.tenant(p.Slug)
		err := l.provision(l.environment(), p)
		var app *temporal.ApplicationError
		require.ErrorAs(t, err, &app)
		assert.Equal(t, string(tenant.CodeSlugTaken), app.Type())
		assert.Zero(t, a, "the hook has not run, so nothing of it is undone")
		status, schema := l.status(owner.ID)
		assert.Equal(t, "active", status)
		assert.True(t, schema)
	})
	t.Run("the tenant itself", func(t *testing.T) {
		t.Parallel()
		var a account
		l := newLife(newSite(t))
		l.withAccount(&a)
		there := l.tenant("acme-corp")
		p := newProvision()
		p.ID = there.ID
		require.NoError(t, l.provision(l.environment(), p))
		assert.Zero(t, a)
		assert.Equal(t, []string{"FindTenant", "CreateTenant"}, l.steps())
	})
	t.Run("a tenant that is gone", func(t *testing.T) {
		t.Parallel()
		l := newLife(newSite(t))
		p := newProvision()
		p.ID = l.tenant(p.Slug).ID
		_, err := l.catalog.Delete(t.Context(), p.ID)
		require.NoError(t, err)
		code, _ := temporalx.Refused(l.provision(l.environment(), p))
		assert.Equal(t, tenant.CodeTenantGone, code)
		status, schema := l.status(p.ID)
		assert.Equal(t, "deleted", status)
		assert.True(t, schema)
	})
}

// Row 44. A tenant that is active keeps what it has elsewhere, although every answer that told
// so was lost until its provisioning was given up.
func TestRow44_ATenantThatWasMadeAfterAllKeepsItsAccount(t *testing.T) {
	t.Parallel()
	var a account
	l := newLife(newSite(t))
	l.withAccount(&a)
	l.losing, l.always = "CreateTenant", true
	p := newProvision()
	require.ErrorContains(t, l.provision(l.environment(), p), errLost.Error())
	l.requireMade(p)
	assert.Equal(t, account{opened: 1, seeded: 1}, a)
}

// Row 44.
func TestRow44_ACancelledProvisioningUndoesWhatItDid(t *testing.T) {
	t.Parallel()
	var a account
	l := newLife(newSite(t))
	l.withAccount(&a)
	l.cfg.Before = func(context.Context, temporalx.Provision) error { return errors.New("not yet") }
	env := l.environment()
	env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	p := newProvision()
	err := l.provision(env, p)
	require.Error(t, err)
	assert.True(t, temporal.IsCanceledError(err), "%v", err)
	status, _ := l.status(p.ID)
	assert.Equal(t, "none", status)
	assert.Equal(t, 1, a.closed)
}

// A reservation that has expired meanwhile, and was taken by nobody, is made again.
func TestRow44_AProvisioningOutlivesItsReservation(t *testing.T) {
	t.Parallel()
	var a account
	l := newLife(newSite(t))
	l.withAccount(&a)
	p := newProvision()
	l.cfg.Before = func(ctx context.Context, p temporalx.Provision) error {
		_, err := l.catalog.Release(ctx, p.ID)
		return err
	}
	require.NoError(t, l.provision(l.environment(), p))
	status, _ := l.status(p.ID)
	assert.Equal(t, "active", status)
}

func TestAProvisioningTellsWhichFieldsAreNotValid(t *testing.T) {
	t.Parallel()
	made, err := temporalx.NewLifecycle(newLife(newSite(t)).cfg)
	require.NoError(t, err)
	p := newProvision()
	p.Slug, p.Name = "Not A Slug", ""
	_, err = made.Provision(t.Context(), p)
	var told *tenant.Error
	require.ErrorAs(t, err, &told)
	assert.Equal(t, tenant.CodeValidationFailed, told.Code)
	require.Len(t, told.Fields, 2)
	assert.Equal(t, "slug", told.Fields[0].Field)
}

// deaf is a workflow that has ended, and the notice of it was lost: who asks first waits
// until the question is given up.
type deaf struct {
	client.WorkflowRun
	asked int
	err   error
}

func (d *deaf) Get(ctx context.Context, _ any) error {
	if d.asked++; d.asked > 1 {
		return d.err
	}
	<-ctx.Done()
	return ctx.Err()
}

// onlyRun is a client whose workflows are all the one.
type onlyRun struct {
	client.Client
	run client.WorkflowRun
}

func (s onlyRun) ExecuteWorkflow(context.Context, client.StartWorkflowOptions, any, ...any) (client.WorkflowRun, error) {
	return s.run, nil
}

func TestALostNoticeOfItsEndHoldsUpNoProvisioning(t *testing.T) {
	t.Parallel()
	l := newLife(newSite(t))
	there := l.tenant("acme-corp")
	p := newProvision()
	p.ID = there.ID
	for _, refused := range []error{nil, errors.New("refused")} {
		run := &deaf{err: refused}
		l.cfg.Client = onlyRun{run: run}
		made, err := temporalx.NewLifecycle(l.cfg)
		require.NoError(t, err)
		got, err := made.Provision(t.Context(), p)
		require.ErrorIs(t, err, refused)
		assert.Equal(t, 2, run.asked)
		if refused == nil {
			assert.Equal(t, there, got)
		}
	}
}
