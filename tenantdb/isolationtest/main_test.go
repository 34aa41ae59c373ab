package isolationtest_test

import (
	"testing"

	"github.com/tenantwall/tenantwall/internal/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }
