package quota_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tenantwall/tenantwall/quota"
)

// fields are the items of a header field by their names, as a parser of structured fields
// reads them.
func fields(t require.TestingT, h http.Header, name string) map[string]map[string]any {
	values := h.Values(name)
	if len(values) == 0 {
		return nil
	}
	list, err := httpsfv.UnmarshalList(values)
	require.NoError(t, err, "%s: %q", name, values)
	items := make(map[string]map[string]any)
	for _, member := range list {
		item, ok := member.(httpsfv.Item)
		require.True(t, ok, "%s: an inner list", name)
		limit, ok := item.Value.(string)
		require.True(t, ok, "%s: the name is no string", name)
		require.NotContains(t, items, limit, "%s: named twice", name)
		items[limit] = make(map[string]any)
		for _, key := range item.Params.Names() {
			items[limit][key], _ = item.Params.Get(key)
		}
	}
	return items
}

func TestHeadersAreAsTheDraftWritesThem(t *testing.T) {
	t.Parallel()
	d := quota.Decision{Limits: []quota.LimitState{
		{Name: "burst", Kind: quota.KindRate, Limit: 100, Per: time.Minute, Remaining: 42, ResetAfter: 13 * time.Second},
	}}
	h := http.Header{}
	d.WriteHeaders(h)
	assert.Equal(t, http.Header{
		"Ratelimit-Policy": {`"burst";q=100;w=60`},
		"Ratelimit":        {`"burst";r=42;t=13`},
	}, h)
}

func TestHeadersTellEachLimit(t *testing.T) {
	t.Parallel()
	d := quota.Decision{Limits: []quota.LimitState{
		{Name: "burst", Kind: quota.KindRate, Limit: 3, Per: 1500 * time.Millisecond, Remaining: 1, ResetAfter: 1},
		{Name: "exports", Kind: quota.KindConcurrency, Limit: 2, Remaining: 1},
		{Name: "mails", Kind: quota.KindUnits, Limit: quota.MaxUnits, Per: 31 * 24 * time.Hour, Remaining: quota.MaxUnits, ResetAfter: time.Hour},
		{Name: "watched", Kind: quota.KindRate, Limit: 3, Per: time.Second, Shadow: true},
		{Name: "free", Kind: quota.KindRate, Limit: quota.Unlimited},
		{Name: "unknown", Kind: quota.KindRate, Limit: 7, Per: time.Second, Source: quota.SourceOpen},
		{Name: "shut", Kind: quota.KindRate, Limit: 8, Per: time.Second, Source: quota.SourceClosed},
	}}
	h := http.Header{}
	d.WriteHeaders(h)
	assert.Equal(t, map[string]map[string]any{
		"burst":   {"q": int64(3), "w": int64(2)},
		"exports": {"q": int64(2), "qu": "concurrent-requests"},
		"mails":   {"q": int64(999_999_999_999_999), "w": int64(31 * 24 * 3600)},
		"unknown": {"q": int64(7), "w": int64(1)},
		"shut":    {"q": int64(8), "w": int64(1)},
	}, fields(t, h, "RateLimit-Policy"))
	assert.Equal(t, map[string]map[string]any{
		"burst":   {"r": int64(1), "t": int64(1)},
		"exports": {"r": int64(1)},
		"mails":   {"r": int64(999_999_999_999_999), "t": int64(3600)},
	}, fields(t, h, "RateLimit"))
}

func TestHeadersOfSeveralDecisionsAreOneList(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	for _, name := range []string{"all", "some"} {
		quota.Decision{Limits: []quota.LimitState{{Name: name, Kind: quota.KindRate, Limit: 5, Per: time.Second}}}.WriteHeaders(h)
	}
	assert.Len(t, fields(t, h, "RateLimit"), 2)
	assert.Len(t, fields(t, h, "RateLimit-Policy"), 2)
}

func TestHeadersAreLeftOutWhereThereIsNothingToTell(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	quota.Decision{Allowed: true}.WriteHeaders(h)
	quota.Decision{Limits: []quota.LimitState{{Name: "free", Limit: quota.Unlimited}}}.WriteHeaders(h)
	assert.Empty(t, h)
}

// Whatever a decision says, the fields can be parsed, and no name of a limit that no plan
// could have gets into them.
func TestHeadersCanBeParsedWhateverTheDecisionSays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := quota.Decision{}
		hostile := rapid.SampledFrom([]string{"", `a"`, "a\r\nX-Evil: 1", "a\x00", "Ä", `a\`, "a;q=1", "a, b"})
		names := rapid.SliceOfNDistinct(rapid.OneOf(hostile, rapid.StringMatching(`[a-z][a-z0-9_.-]{0,20}`), rapid.String()), 0, 6, rapid.ID).Draw(t, "names")
		for _, name := range names {
			d.Limits = append(d.Limits, quota.LimitState{
				Name:  name,
				Kind:  rapid.SampledFrom([]quota.Kind{quota.KindRate, quota.KindConcurrency, quota.KindUnits}).Draw(t, "kind"),
				Limit: rapid.Int64().Draw(t, "limit"), Remaining: rapid.Int64().Draw(t, "remaining"),
				Per: time.Duration(rapid.Int64().Draw(t, "per")), ResetAfter: time.Duration(rapid.Int64().Draw(t, "reset")),
			})
		}
		h := http.Header{}
		d.WriteHeaders(h)
		for _, field := range []string{"RateLimit", "RateLimit-Policy"} {
			for name := range fields(t, h, field) {
				require.NoError(t, quota.CheckName(name))
			}
		}
	})
}
