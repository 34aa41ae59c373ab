package resolve

import (
	"context"
	"errors"
	"fmt"

	"github.com/tenantwall/tenantwall/tenant"
)

// find is the one tenant that all of named and the credential's tenant agree on, with one
// look-up. credential is zero for a credential that was made for no tenant, and for none.
func find(ctx context.Context, store tenant.Store, named Claim, credential tenant.ID) (tenant.Tenant, error) {
	ref := named.ref(credential)
	t, err := store.Lookup(ctx, ref)
	switch {
	case ref.Kind() == tenant.RefDomain && !credential.IsZero() && isAbsent(err):
		return tenant.Tenant{}, ErrMismatch // whether there is one is not the credential's business
	case err != nil:
		return tenant.Tenant{}, storeError(err)
	case ref.Kind() != tenant.RefDomain && !ref.Names(t):
		return tenant.Tenant{}, fmt.Errorf("the store answered a look-up of %v with another tenant, %v", ref, t.ID)
	}
	if err := named.agree(t, credential); err != nil {
		return tenant.Tenant{}, err
	}
	if err := t.Usable(); err != nil {
		return tenant.Tenant{}, err
	}
	return t, nil
}

// ref is what to look up. A domain comes first, because a tenant does not tell its domains
// and all else can be held against what is found. Then the credential's tenant, so that
// nothing is told about others. An id comes before a slug, because it never changes.
func (c Claim) ref(credential tenant.ID) tenant.Ref {
	switch {
	case c.Domain != "":
		return tenant.ByDomain(c.Domain)
	case !credential.IsZero():
		return tenant.ByID(credential)
	case !c.ID.IsZero():
		return tenant.ByID(c.ID)
	}
	return tenant.BySlug(c.Slug)
}

// agree holds c and the credential against t, to which one of them led. A domain in c did,
// if there is one.
func (c Claim) agree(t tenant.Tenant, credential tenant.ID) error {
	slugDiffers := c.Slug != "" && c.Slug != t.Slug
	idDiffers := !c.ID.IsZero() && c.ID != t.ID
	leadsToIt := c.Domain != "" || c.Slug == t.Slug || c.ID == t.ID
	switch {
	case leadsToIt && (slugDiffers || idDiffers):
		return ErrConflict // the request contradicts itself, whatever the credential is for
	case slugDiffers, idDiffers, !credential.IsZero() && t.ID != credential:
		return ErrMismatch
	}
	return nil
}

// isAbsent reports whether err says that there is no such tenant, or no more.
func isAbsent(err error) bool {
	return errors.Is(err, tenant.ErrNotFound) || errors.Is(err, tenant.ErrGone)
}
