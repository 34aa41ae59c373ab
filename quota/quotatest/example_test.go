package quotatest_test

import (
	"testing"
	"time"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/quota/quotatest"
)

// A backend of one's own passes the same tests as those of package quota. This is the one in
// memory, whose clock is moved by hand.
func ExampleRunBackend() {
	_ = func(t *testing.T) { // TestBackend, in the package of the backend
		now := time.Now()
		quotatest.RunBackend(t, quotatest.Harness{
			Backend: quota.NewMemory(func() time.Time { return now }),
			Advance: func(d time.Duration) { now = now.Add(d) },
		})
	}
	// Output:
}
