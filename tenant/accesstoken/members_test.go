package accesstoken_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenant/accesstoken"
)

// membership is the one that there is, ada's in acme, and a cache in front of it which
// repeats an answer for as long as bound.
type membership struct {
	clock *clock
	bound time.Duration

	mu      sync.Mutex
	version int64 // 0: she is no member
	err     error
	cached  int64
	until   time.Time
	asked   int
}

func (m *membership) set(version int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version, m.err = version, err
}

func (m *membership) MembershipVersion(_ context.Context, in tenant.ID, userID string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	if in.IsZero() || userID != "ada" {
		return 0, errors.New("asked for somebody else")
	}
	if now := m.clock.now(); !now.Before(m.until) {
		if m.err != nil {
			return 0, m.err
		}
		m.cached, m.until = m.version, now.Add(m.bound)
	}
	return m.cached, nil
}

// guarded is a service that asks for memberships, and a request with a token of version 3.
func guarded(t *testing.T, bound time.Duration) (*world, *membership, func() answer) {
	t.Helper()
	w := newWorld(t)
	members := &membership{clock: w.clock, bound: bound, version: 3}
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Members: members})
	token := w.token(t)
	return w, members, func() answer { return serve(authenticate, get("/v1/notes", "Authorization", "Bearer "+token)) }
}

func TestRow32_RemovedMemberIsRefusedWithinTheBoundThoughTheTokenLives(t *testing.T) {
	t.Parallel()
	const bound = 2 * time.Second
	w, members, request := guarded(t, bound)
	for range 3 {
		require.NotNil(t, request().reached, "and the token has been seen before")
	}
	members.set(0, nil)
	w.clock.advance(bound - 1)
	require.NotNil(t, request().reached, "the last moment of the bound")
	w.clock.advance(1)
	for range 3 {
		d := request().requireRefused(t, http.StatusForbidden, tenant.CodeNotAMember)
		assert.Equal(t, "the user is no member of the tenant any more", d.Detail)
	}
	assert.Equal(t, 7, members.asked, "on every request, also for a token that was seen before")
}

func TestRow32_DemotedMemberNeedsANewTokenWithinTheBound(t *testing.T) {
	t.Parallel()
	const bound = 2 * time.Second
	w, members, request := guarded(t, bound)
	require.NotNil(t, request().reached)
	members.set(4, nil)
	w.clock.advance(bound)
	a := request()
	d := a.requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
	assert.Equal(t, "the membership has changed since the access token was made; get a new one", d.Detail)
	assert.Equal(t, []string{challenged}, a.Header().Values("WWW-Authenticate"))

	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Members: members})
	viewer := w.ada()
	viewer.Role = "viewer"
	token, _, err := w.issuer.Issue(viewer, 4)
	require.NoError(t, err)
	renewed := serve(authenticate, get("/v1/notes", "Authorization", "Bearer "+token))
	require.NotNil(t, renewed.reached)
	who, _ := tenant.PrincipalFromContext(renewed.reached.Context())
	assert.Equal(t, "viewer", who.Role)
}

func TestRow32_WithoutMembersATokenIsGoodUntilItExpires(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{})
	token := w.token(t)
	w.clock.advance(accesstoken.DefaultLifetime - time.Second)
	require.NotNil(t, serve(authenticate, get("/", "Authorization", "Bearer "+token)).reached)
	w.clock.advance(accesstoken.DefaultLeeway + time.Second)
	serve(authenticate, get("/", "Authorization", "Bearer "+token)).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
}

func TestTokenThatIsNewerThanTheCacheIsTaken(t *testing.T) {
	t.Parallel()
	w, members, request := guarded(t, time.Minute)
	members.set(2, nil)
	require.NotNil(t, request().reached, "the cache holds version 2, the token was made from 3")
	members.set(4, nil)
	require.NotNil(t, request().reached)
	w.clock.advance(time.Minute)
	request().requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
}

func TestMembershipThatCantBeToldIsNotTakenForOne(t *testing.T) {
	t.Parallel()
	_, members, request := guarded(t, 0)
	members.set(3, errors.New("connection refused by 10.0.0.7"))
	a := request()
	a.requireRefused(t, http.StatusServiceUnavailable, tenant.CodeUnavailable)
	assert.Equal(t, "1", a.Header().Get("Retry-After"))
	assert.NotContains(t, a.Body.String(), "10.0.0.7")
	assert.Empty(t, a.Header().Get("WWW-Authenticate"))

	members.set(3, &tenant.Error{Code: tenant.CodeNotAMember})
	request().requireRefused(t, http.StatusForbidden, tenant.CodeNotAMember)
	members.set(-1, nil)
	request().requireRefused(t, http.StatusForbidden, tenant.CodeNotAMember)
}

func TestTokenOfNoTenantHasNoMembershipToAskFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	members := &membership{clock: w.clock}
	authenticate := accesstoken.Authenticate(w.verifier, accesstoken.AuthenticateConfig{Members: members})
	token, _, err := w.issuer.Issue(tenant.Principal{Kind: tenant.User, ID: "ada"}, 0)
	require.NoError(t, err)
	require.NotNil(t, serve(authenticate, get("/v1/me", "Authorization", "Bearer "+token)).reached)
	assert.Zero(t, members.asked)
}

func TestTenantWithoutAVersionFromAVerifierOfTheProductsOwnIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	members := &membership{clock: w.clock, version: 1}
	verifier := accesstoken.VerifierFunc(func(context.Context, string) (accesstoken.Claims, error) {
		return accesstoken.Claims{Principal: w.ada()}, nil
	})
	authenticate := accesstoken.Authenticate(verifier, accesstoken.AuthenticateConfig{Members: members})
	serve(authenticate, get("/", "Authorization", "Bearer x")).requireRefused(t, http.StatusUnauthorized, tenant.CodeUnauthenticated)
}
