package tenanttest_test

import (
	"maps"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant/tenanttest"
)

// envFault makes the test binary run the suite on a store with one of the faults.
const envFault = "TENANTTEST_FAULT"

func TestSuiteCatchesTheFaultsOfStores(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Sorted(maps.Keys(faults)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, code := runSuite(t, name)
			assert.Equal(t, 1, code, out)
			assert.Contains(t, out, "--- FAIL: TestFaultyStore/Store/"+faults[name].caught)
		})
	}
}

func TestSuiteAsksForWhatTheHarnessLacks(t *testing.T) {
	t.Parallel()
	out, code := runSuite(t, "nothing")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "the harness needs a Store")
}

// TestFaultyStore is for the processes that runSuite starts.
func TestFaultyStore(t *testing.T) {
	t.Parallel()
	switch name := os.Getenv(envFault); name {
	case "":
	case "nothing":
		tenanttest.RunStore(t, tenanttest.Harness{})
	default:
		s := new(tenanttest.Store)
		h := harness(s)
		faults[name].breaks(&h, s)
		tenanttest.RunStore(t, h)
	}
}

func runSuite(t *testing.T, fault string) (output string, exitCode int) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFaultyStore$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), envFault+"="+fault)
	out, _ := cmd.CombinedOutput() // the exit code tells how it ended
	return string(out), cmd.ProcessState.ExitCode()
}
