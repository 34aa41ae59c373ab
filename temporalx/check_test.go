package temporalx_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/temporalx"
)

func TestCheckServerSaysWhichSettingIsWrong(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]temporalx.CheckConfig{
		"the setting Timeout is -1ns, and must be from 0 to 5m0s":   {Timeout: -1},
		"the setting Timeout is 5m0.000000001s, and must be from 0": {Timeout: 5*time.Minute + 1},
		"number of shards is -1":                                    {Dispatch: temporalx.Dispatch{Routing: temporalx.Routing{Queues: []string{"work"}, Default: temporalx.Tier{Shards: -1}}}},
	} {
		_, err := temporalx.CheckServer(t.Context(), nil, cfg)
		require.ErrorContains(t, err, want)
	}
}
