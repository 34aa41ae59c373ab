package otelx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/slogtest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/tenantwall/tenantwall/otelx"
	"github.com/tenantwall/tenantwall/tenant"
)

// lines are the records that were written, each as JSON.
func lines(t testing.TB, written *bytes.Buffer) []map[string]any {
	t.Helper()
	var records []map[string]any
	for line := range bytes.Lines(written.Bytes()) {
		var record map[string]any
		require.NoError(t, json.Unmarshal(line, &record))
		records = append(records, record)
	}
	return records
}

func TestHandlerKeepsThePromisesOfPackageSlog(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	h := newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), nil)
	require.NoError(t, slogtest.TestHandler(h, func() []map[string]any { return lines(t, &written) }))
}

func TestRecordHasItsTenantAndTraceAtTheRoot(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	log := slog.New(newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), nil))
	ctx, span := sdktrace.NewTracerProvider().Tracer("test").Start(inRequest(t.Context(), ada), "request")
	defer span.End()

	log.With("part", "outer").WithGroup("g").With("a", 1).InfoContext(ctx, "hello", "b", 2)
	log.Info("nobody's")
	got := lines(t, &written)
	require.Len(t, got, 2)
	assert.Equal(t, acme.ID.String(), got[0]["tenant.id"])
	assert.Equal(t, "acme-corp", got[0]["tenant.slug"])
	assert.Equal(t, "req-1", got[0]["request.id"])
	assert.Equal(t, span.SpanContext().TraceID().String(), got[0]["trace_id"])
	assert.Equal(t, span.SpanContext().SpanID().String(), got[0]["span_id"])
	assert.Equal(t, "outer", got[0]["part"])
	assert.Equal(t, map[string]any{"a": 1.0, "b": 2.0}, got[0]["g"])
	assert.NotContains(t, got[1], "tenant.id")
}

func TestLoggersThatShareABeginningDontMixTheirAttributes(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	base := slog.New(newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), nil)).With("a", 1).With("b", 2).With("c", 3)
	one, two := base.With("who", "one"), base.With("who", "two")
	one.InfoContext(t.Context(), "x")
	two.InfoContext(t.Context(), "x")
	got := lines(t, &written)
	assert.Equal(t, "one", got[0]["who"])
	assert.Equal(t, "two", got[1]["who"])
}

type credentials struct{ User, Line string }

func (c credentials) LogValue() slog.Value {
	return slog.GroupValue(slog.String("user", c.User), slog.String("password", c.Line))
}

const (
	aToken = "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJ1c2VyLWFkYSJ9.AAAAAAAAAAAAAAAAAAAA"
	aKey   = "notes_live_0123456789abcdefghijABCDEFGHIJ0123456789abcdefghij"
)

func TestNoSecretIsLogged(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	mine, err := otelx.NewRedactor(regexp.MustCompile(`PIN-\d{4}`))
	require.NoError(t, err)
	log := slog.New(newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), mine))

	log.With("authorization", "Basic "+"dXNlcjpodW50ZXIy").InfoContext(t.Context(), "sent Bearer "+aToken,
		"key", aKey,
		"x_api_key", "short",
		"err", fmt.Errorf("connect: %w", errors.New("postgres://app:hunter2@db/app")),
		"dsn", "host=db user=app password='hunter2 x' dbname=app",
		"body", []byte(`{"password": "hunter2", "name": "Ada"}`),
		"who", credentials{"ada", "hunter2"},
		"any", struct{ Text string }{"Bearer " + aToken},
		slog.Group("session", "cookie", "id=hunter2"),
		"pin", "PIN-47114711470",
	)
	got := lines(t, &written)
	require.Len(t, got, 1)
	for _, secret := range []string{"hunter2", aToken, "0123456789abcdefghij", "short", "dXNlcjp", "4711471147"} {
		assert.NotContains(t, written.String(), secret)
	}
	assert.Equal(t, "sent Bearer [redacted]", got[0]["msg"])
	assert.Equal(t, "notes_live_[redacted]", got[0]["key"], "which kind of key it was is told")
	assert.Equal(t, map[string]any{"user": "ada", "password": "[redacted]"}, got[0]["who"])
	assert.Contains(t, got[0]["err"], "postgres://app:[redacted]")
}

func TestWhatIsNoSecretStays(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	log := slog.New(newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), nil))
	log.InfoContext(t.Context(), "the bearer of news", "api_key_id", "k1", "token_count", 12, "has_password", true, "url", "https://example.com/a:b", "id", acme.ID,
		"schema", "t_018f4e5a000070008000000000000001", "token", "")
	got := lines(t, &written)[0]
	assert.Equal(t, "the bearer of news", got["msg"])
	assert.Equal(t, "k1", got["api_key_id"])
	assert.EqualValues(t, 12, got["token_count"])
	assert.Equal(t, true, got["has_password"])
	assert.Equal(t, "https://example.com/a:b", got["url"])
	assert.Equal(t, acme.ID.String(), got["id"])
	assert.Equal(t, "t_018f4e5a000070008000000000000001", got["schema"])
	assert.Empty(t, got["token"])
}

func TestNewRedactorRefusesPatternsThatCantBe(t *testing.T) {
	t.Parallel()
	_, err := otelx.NewRedactor(nil)
	require.ErrorContains(t, err, "is nil")
	_, err = otelx.NewRedactor(regexp.MustCompile(`x*`))
	require.ErrorContains(t, err, "everything")
}

func FuzzRedactedTextHasNoToken(f *testing.F) {
	for _, seed := range []string{aToken, "Bearer " + aToken, aKey, "postgres://a:b@c/d", "password=x y", `{"token":"abc\"def"}`, "", "://:@"} {
		f.Add(seed)
	}
	r := otelx.DefaultRedactor()
	f.Fuzz(func(t *testing.T, text string) {
		const payload = "eyJzdWIiOiJ1c2VyLWFkYSJ9"
		if !strings.Contains(text, payload) {
			assert.NotContains(t, r.Text(text+" "+aToken+" "), payload)
		}
		_ = r.Attr(slog.Any(text, tenant.ErrGone))
	})
}
