package temporalx

import (
	"time"

	"github.com/tenantwall/tenantwall/tenant"
	"github.com/tenantwall/tenantwall/tenantdb"
)

// Manifest is what was removed of a tenant. Its name, which may be a person's, is not among
// it; the id and the slug stay in the catalog as well.
type Manifest struct {
	Tenant tenant.ID `json:"tenant"`
	Slug   string    `json:"slug"` // not a tenant.Slug, which a name of before is not, once it is reserved
	Plan   string    `json:"plan,omitempty"`

	// ClosedAt is when the tenant was found refused, and PurgedAt when its data were gone; zero
	// while they are not.
	ClosedAt time.Time `json:"closed_at"`
	PurgedAt time.Time `json:"purged_at,omitzero"`

	Jobs DrainedJobs `json:"jobs"`

	// Export is where the hook Export has put its copy; empty without one.
	Export string `json:"export,omitempty"`

	// Removed is what there was in the database, right before it was removed.
	Removed tenantdb.Remains `json:"removed"`
}

// DrainedJobs are the jobs of a tenant that were ended.
type DrainedJobs struct {
	Cancelled  int `json:"cancelled"`  // workflows that were told to end
	Terminated int `json:"terminated"` // those of them that did not
	Schedules  int `json:"schedules"`  // deleted
}

func (j *DrainedJobs) add(more DrainedJobs) {
	j.Cancelled += more.Cancelled
	j.Terminated += more.Terminated
	j.Schedules += more.Schedules
}
