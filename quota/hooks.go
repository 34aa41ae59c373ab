package quota

import (
	"context"

	"github.com/tenantwall/tenantwall/tenant"
)

// tell calls the hooks for a decision.
func (l *Limiter) tell(ctx context.Context, t tenant.Tenant, d Decision) {
	hooks := &l.cfg.Hooks
	if !d.Allowed && hooks.OnDeny != nil {
		hooks.OnDeny(ctx, t, d)
	}
	for i := range d.Limits {
		s := &d.Limits[i]
		if s.Shadow && s.Denied {
			l.tally.shadow.Add(1)
			if hooks.OnShadow != nil {
				hooks.OnShadow(ctx, t, *s)
			}
		}
		if hooks.OnNear != nil && s.crosses(hooks.Near) {
			hooks.OnNear(ctx, t, *s)
		}
	}
}

// crosses reports whether what was granted has taken the limit past that share of it.
func (s *LimitState) crosses(share float64) bool {
	if s.Source != SourceBackend || s.Granted == 0 || s.Limit <= 0 {
		return false
	}
	near, used := float64(s.Limit)*share, s.Limit-s.Remaining
	return float64(used) >= near && float64(used-s.Granted) < near
}
