package temporaldispatch_test

import (
	"testing"

	"github.com/tenantwall/tenantwall/examples/internal/temporaltest"
)

func TestMain(m *testing.M) { temporaltest.Main(m) }
