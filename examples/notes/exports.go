package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

// startExport begins a job that exports the tenant's notes, and answers before it has
// ended.
func (s *server) startExport(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	if err := s.jobs.reachable(r.Context()); err != nil {
		return err
	}
	e, err := s.beginExport(r.Context(), t)
	if err != nil {
		return err
	}
	if err := s.jobs.startExport(r.Context(), t.ID, e.ID); err != nil {
		s.exports.forget(r.Context(), e.ID)
		return err
	}
	w.Header().Set("Location", resolve.PathPrefix(r.Context())+"/v1/exports/"+e.ID.String())
	return writeJSON(w, http.StatusAccepted, map[string]string{"id": e.ID.String(), "status": e.Status})
}

// beginExport is a new export, if the plan lets one more run. Where it does not, those count
// no longer whose job has ended without a word.
func (s *server) beginExport(ctx context.Context, t tenant.Tenant) (export, error) {
	most, err := s.quotas.exportsAtATime(ctx, t)
	if err != nil {
		return export{}, err
	}
	e, err := s.exports.begin(ctx, most)
	if !errors.Is(err, errTooManyExports) {
		return e, err
	}
	running, err := s.exports.overdue(ctx)
	if err != nil {
		return export{}, err
	}
	for _, e := range running {
		if _, err := s.lookAtJob(ctx, t.ID, e); err != nil {
			return export{}, err
		}
	}
	return s.exports.begin(ctx, most)
}

// getExport tells how far a job is.
func (s *server) getExport(w http.ResponseWriter, r *http.Request) error {
	t, err := tenant.Require(r.Context())
	if err != nil {
		return err
	}
	id, err := pathID(r, errExportNotFound)
	if err != nil {
		return err
	}
	e, err := s.exports.get(r.Context(), id)
	if err != nil {
		return err
	}
	if e.Status == exportRunning {
		if e, err = s.lookAtJob(r.Context(), t.ID, e); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, e)
}

// lookAtJob is a running export, as it is after a look at its job. The job writes its own end;
// one that could not, such as that of a tenant which was suspended before it ran, has failed.
func (s *server) lookAtJob(ctx context.Context, of tenant.ID, e export) (export, error) {
	runs, err := s.jobs.exportRuns(ctx, of, e.ID)
	if err != nil || runs {
		return e, err
	}
	return s.exports.end(ctx, e.ID)
}
