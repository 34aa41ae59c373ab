package isolationtest

import "context"

// TB is what the package needs of a test; [testing.TB] has it.
type TB interface {
	Helper()
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}

// Run is [Check] for a test: it fails with each finding, and with each route that was not
// proved. What it can't do at all, such as a service that does not answer, ends the test.
func Run(t TB, cfg Config) {
	t.Helper()
	report, err := Check(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%v", err)
		return
	}
	for _, f := range report.Findings {
		t.Errorf("isolationtest: %s", f)
	}
	for _, u := range report.Unproved {
		t.Errorf("isolationtest: %s", u)
	}
	t.Logf("isolationtest: %d routes walked with %d requests", len(report.Walked), report.Requests)
}
