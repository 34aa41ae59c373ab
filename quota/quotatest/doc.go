// Package quotatest has the tests that every quota.Backend is to pass.
//
// Whoever writes a backend fills a [Harness] and calls [RunBackend] from a test:
//
//	func TestBackend(t *testing.T) {
//		clock := newClock()
//		quotatest.RunBackend(t, quotatest.Harness{Backend: open(t, clock.Now), Advance: clock.Advance})
//	}
//
// The package needs the standard library alone, so that it brings no testing library into
// the tests of others.
package quotatest
