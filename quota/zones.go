package quota

import (
	"cmp"
	"fmt"
	"sync"
	"time"
)

// zones remembers the time zones of plans: each is read from a file, which is too much for
// each request. There are as many as the IANA database has names, for a zone that can't be
// read is not kept.
type zones struct{ known sync.Map } // *time.Location by name

// period is [Units.Period] without reading the zone again. The error is [ErrBadPlan].
func (z *zones) period(u *Units, at time.Time) (Period, error) {
	zone, known := z.known.Load(u.Zone)
	if !known {
		read, err := time.LoadLocation(u.Zone)
		if err != nil {
			return Period{}, fmt.Errorf("quota: %w: zone of %q: %w", ErrBadPlan, u.Name, err)
		}
		zone, _ = z.known.LoadOrStore(u.Zone, read)
	}
	return MonthlyPeriod(at, cmp.Or(u.AnchorDay, 1), zone.(*time.Location)), nil
}
