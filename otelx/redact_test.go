package otelx_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/tenantwall/tenantwall/apikey"
	"github.com/tenantwall/tenantwall/invite"
	"github.com/tenantwall/tenantwall/otelx"
)

const anInvitation = "q83vEjRWeJq8zvEjRWeJq8zvEjRWeJq8zvEjRWeJq80"

// secretTexts are texts with a secret in them, each with what may not be seen of it.
var secretTexts = map[string]string{
	"sent Bearer " + aToken:                                             aToken,
	"sent Bearer%20" + aToken:                                           aToken,
	"got (" + aToken + ")":                                              aToken,
	"Authorization: Basic dXNlcjpodW50ZXIy":                             "dXNlcjpodW50ZXIy",
	"GET /\r\nCookie: a=hunter2; b=hunter3\r\nAccept: x":                "hunter",
	"X-Api-Key: hunter2":                                                "hunter2",
	"map[Authorization:[Bearer abc hunter2] Accept:[x]]":                "hunter2",
	"key " + aKey + "_old":                                              "0123456789abcdefghij",
	"x_" + aKey:                                                         "0123456789abcdefghij",
	"https://example.com/join/" + anInvitation:                          anInvitation,
	"/login?next=%2Fjoin%23token%3D" + anInvitation + "%26x%3Dy":        anInvitation,
	`{"text":"Follow this link:\n` + anInvitation + `"}`:                anInvitation,
	`{"url":"/login?a=b\u0026` + anInvitation + `"}`:                    anInvitation,
	"GET /x?tokens=[hunter2; hunter2":                                   "hunter2",
	"config password='hunter2 hunter2":                                  "hunter2",
	"https://example.com/join#" + anInvitation + ".":                    anInvitation,
	"postgres://app:hunter2@db/app":                                     "hunter2",
	"postgres://app:hun/te?r2@hunter2@db/app":                           "hunter2",
	`{"dsn":"postgres:\/\/app:hunter2@db\/app"}`:                        "hunter2",
	"redis://:hunter2@db":                                               "hunter2",
	"https://user:hun@hunter2@example.com/a@b":                          "hunter2",
	"host=db password='hunter2 it\\'s hunter2' dbname=app":              "hunter2",
	"host=db password = hunter2":                                        "hunter2",
	`msg=x dsn="host=db password=hunter2"`:                              "hunter2",
	"a:password=hunter2":                                                "hunter2",
	"/?page=2&access_token=hunter2&x=y":                                 "hunter2",
	"/?client_secret=hunter2":                                           "hunter2",
	"config {User:app Password:hunter2}":                                "hunter2",
	`config {User:"app", Password:"hunter2 hunter2"}`:                   "hunter2",
	"password: hunter2":                                                 "hunter2",
	`{'password': 'hunter2'}`:                                           "hunter2",
	"ALTER ROLE app PASSWORD 'hunter2''hunter2'":                        "hunter2",
	`{"password": "hunter\"2 hunter2", "name": "Ada"}`:                  "hunter",
	`sent {"user":{"clientSecret":"hunter2"}} to x`:                     "hunter2",
	`{"tokens":["hunter2","hunter3"],"a":1}`:                            "hunter",
	`{"credentials":{"user":"a","value":["hunter2"]},"a":1}`:            "hunter",
	`{"passcode": 4711}`:                                                "4711",
	`{"body":"{\"password\":\"hunter2\",\"a\":1}"}`:                     "hunter2",
	`{"body":"{\"password\":\"hunter\\\"2 hunter2\",\"a\":1}"}`:         "hunter",
	`{"a":"{\"b\":\"{\\\"api_key\\\":\\\"hunter2\\\"}\"}"}`:             "hunter2",
	`{"password":"hunter2`:                                              "hunter2",
	`{"token":{"a":"hunter2"`:                                           "hunter2",
	"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----":   "hunter2",
	`{"pem":"-----BEGIN EC PRIVATE KEY-----\nhunter2\n`:                 "hunter2",
	strings.Repeat("long ", otelx.MaxText/5-100) + "\npassword=hunter2": "hunter2",
}

func TestNoTextKeepsItsSecret(t *testing.T) {
	t.Parallel()
	r := otelx.DefaultRedactor()
	for text, secret := range secretTexts {
		clean := r.Text(text)
		assert.NotContains(t, clean, secret, "%.200s", text)
		assert.Contains(t, clean, "[redacted]", "%.200s", text)
	}
}

func TestTextOfNoSecretStays(t *testing.T) {
	t.Parallel()
	r := otelx.DefaultRedactor()
	for _, text := range []string{
		"", "x", "the bearer of news", "https://example.com:8080/a@b", "GET /v1/notes?page=2", "a=b", "12:30:45", "{}",
		`SELECT id FROM session WHERE token = $1 AND "name" = 'x'`, `{"name":"Ada","notes":[1,2]}`, `{"token":"","password":null}`,
		"invalid token: it is over", "tokens=12 token_count=3", "api_key_id=k1", "has_password=true",
		`{"total_tokens":12}`, "note 018f4e5a-0000-7000-8000-000000000001 of t_018f4e5a000070008000000000000001",
		"sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"a_very_long_name_of_something_that_is_43_cha", "ünïcödé",
	} {
		assert.Equal(t, text, r.Text(text))
	}
}

func TestWhatOtherPackagesMintIsASecret(t *testing.T) {
	t.Parallel()
	keys, err := apikey.NewFormat("notes", "live")
	require.NoError(t, err)
	key := "notes_live_" + strings.Repeat("aB3", 18) + "z"
	require.Regexp(t, "^"+keys.Pattern()+"$", key)
	assert.Equal(t, "got notes_live_[redacted]", otelx.DefaultRedactor().Text("got "+key))

	var written bytes.Buffer
	log := slog.New(newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), nil))
	log.InfoContext(t.Context(), "mail", "to", struct {
		Address string
		Invited invite.Secret
	}{"ada@example.com", anInvitation})
	assert.NotContains(t, written.String(), anInvitation)
	assert.Contains(t, written.String(), "ada@example.com")
}

// A text is cut where it is too long, and what begins there is not shown either.
func TestLongTextsAreCut(t *testing.T) {
	t.Parallel()
	r := otelx.DefaultRedactor()
	long := strings.Repeat("ü", otelx.MaxText/2-20) + " " + aToken + strings.Repeat(" password=hunter2", 10_000)
	clean := r.Text(long)
	assert.Less(t, len(clean), otelx.MaxText)
	assert.Contains(t, clean, "[left out]")
	assert.NotContains(t, clean, "eyJ")
	assert.NotContains(t, clean, "hunter2")
	assert.NotContains(t, clean, "\ufffd")
}

// Anybody can have a text logged, by asking for a path. However it is made, it is read a few
// times and not once for each name in it, which took minutes.
func TestTextsThatAreMadeToBeSlowAreNot(t *testing.T) {
	t.Parallel()
	r := otelx.DefaultRedactor()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, part := range []string{`a:[`, `a='`, `a="`, `token:[;`, `token='`, `{"a":`, `{"key":{`, `{"a":"`, `\`, `"`, `%2`, `//:`, `a://b:`, `password '`} {
			_ = r.Text(strings.Repeat(part, otelx.MaxText/len(part)))
		}
	}()
	select {
	case <-done:
	case <-time.After(time.Minute): // it takes a few hundredths of that
		t.Error("it takes longer than a minute")
	}
}

type (
	// loud has its secret in the method that is asked.
	loud struct{ secret string }
	// unsaid has it in a field, and says something else.
	unsaid struct {
		User  string
		token string
	}
	inJSON    struct{ secret string }
	inText    struct{ secret string }
	formatted struct{ secret string }
	failed    struct{ Password string }
	endless   struct{}
	ring      struct{ Next *ring }
	cyclic    map[string]any
	panics    struct{}
)

func (l loud) String() string { return "password=" + l.secret }
func (unsaid) String() string { return "somebody" }
func (i inJSON) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"password": i.secret})
}
func (i inText) MarshalText() ([]byte, error)     { return []byte("password=" + i.secret), nil }
func (f formatted) Format(s fmt.State, verb rune) { _, _ = fmt.Fprintf(s, "password=%s", f.secret) }
func (failed) Error() string                      { return "it has failed" }
func (*panics) String() string                    { panic("no") }
func (e *endless) LogValue() slog.Value           { return slog.GroupValue(slog.Any("next", e)) }

// secretValues are attributes with the secret hunter2 somewhere.
func secretValues() map[string]slog.Attr {
	const secret = "hunter2"
	u, err := url.Parse("https://app:" + secret + "@example.com/")
	if err != nil {
		panic(err)
	}
	type inner struct{ Line string }
	type tagged struct {
		Value string `json:"api_key"`
		Other string `json:"-"`
	}
	line := "password=" + secret
	buried := any(line)
	for range 50 {
		buried = map[string]any{"in": buried}
	}
	around := cyclic{"password": secret}
	around["itself"] = around
	return map[string]slog.Attr{
		"a text":                         slog.String("text", line),
		"a name":                         slog.String("x_api_key", secret),
		"a name in a group":              slog.Group("request", slog.Group("header", slog.String("authorization", secret))),
		"the name of a group":            slog.Group("credentials", slog.String("user", secret)),
		"a LogValuer":                    slog.Any("who", credentials{"ada", secret}),
		"a LogValuer in a group":         slog.Group("x", slog.Any("who", credentials{"ada", secret})),
		"a LogValuer in a structure":     slog.Any("x", struct{ Who credentials }{credentials{"ada", secret}}),
		"a LogValuer in a slice":         slog.Any("x", []any{credentials{"ada", secret}}),
		"a field's name":                 slog.Any("x", struct{ Password string }{secret}),
		"a field's tag":                  slog.Any("x", tagged{secret, ""}),
		"a field that JSON leaves out":   slog.Any("x", tagged{"", line}),
		"a field that isn't exported":    slog.Any("x", struct{ password string }{secret}),
		"a field's text":                 slog.Any("x", inner{line}),
		"a pointer":                      slog.Any("x", &inner{line}),
		"a pointer in a structure":       slog.Any("x", struct{ In *inner }{&inner{line}}),
		"a map":                          slog.Any("x", map[string]string{"password": secret, "a": "b"}),
		"a map's text":                   slog.Any("x", map[int]string{1: line}),
		"a map's key":                    slog.Any("x", map[string]int{line: 1}),
		"a header":                       slog.Any("x", http.Header{"Authorization": {secret}, "Accept": {"x"}}),
		"a slice":                        slog.Any("x", []string{"a", line}),
		"a slice of a name":              slog.Any("tokens", []string{secret}),
		"an array":                       slog.Any("x", [2]any{1, line}),
		"bytes":                          slog.Any("x", []byte(line)),
		"bytes of a name":                slog.Any("signing_key", []byte(secret)),
		"bytes in a structure":           slog.Any("x", struct{ Body []byte }{[]byte(line)}),
		"JSON":                           slog.Any("x", json.RawMessage(`{"password":"`+secret+`"}`)),
		"JSON in JSON":                   slog.Any("x", map[string]any{"body": `{"password":"` + secret + `"}`}),
		"an error":                       slog.Any("err", fmt.Errorf("connect: %w", errors.New(line))),
		"an error in a structure":        slog.Any("x", struct{ Err error }{errors.Join(io.EOF, errors.New(line))}),
		"an error's field":               slog.Any("x", struct{ Err error }{failed{secret}}),
		"what String says":               slog.Any("x", loud{secret}),
		"what String doesn't say":        slog.Any("x", unsaid{"ada", secret}),
		"what MarshalJSON says":          slog.Any("x", inJSON{secret}),
		"what MarshalText says":          slog.Any("x", inText{secret}),
		"what Format says":               slog.Any("x", formatted{secret}),
		"a URL":                          slog.Any("x", u),
		"a URL that is no pointer":       slog.Any("x", *u),
		"a request":                      slog.Any("x", &http.Request{URL: u, Header: http.Header{"Cookie": {secret}}}),
		"too deep":                       slog.Any("x", buried),
		"in a circle":                    slog.Any("x", around),
		"behind very much":               slog.Any("x", append(make([]string, 100_000), line)),
		"behind a very long text":        slog.Any("x", []string{strings.Repeat("x ", 1_000_000), line}),
		"a number that is a password":    slog.Any("passcode", []int{47114711470, 47114711471}),
		"a map that is somebody else's":  slog.Any("x", struct{ m map[string]string }{map[string]string{"password": secret}}),
		"an interface that has a secret": slog.Any("x", []fmt.Stringer{loud{secret}}),
	}
}

func TestNoSecretIsInAnyKindOfValue(t *testing.T) {
	t.Parallel()
	attributes := newAttributes(t, otelx.Config{})
	for name, attr := range secretValues() {
		for kind, handler := range map[string]func(io.Writer) slog.Handler{
			"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
			"JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		} {
			var written bytes.Buffer
			log := slog.New(attributes.Handler(handler(&written), nil))
			log.LogAttrs(t.Context(), slog.LevelInfo, "a line", attr)
			log.With(attr).WithGroup("g").InfoContext(t.Context(), "another")
			for _, hidden := range []string{"hunter2", "aHVudGVyM", "cGFzc3dvcmQ9aHVudGVyM", "4711471147", "ERROR"} { // plain, and in base64; the number is longer than any in a time
				assert.NotContains(t, written.String(), hidden, "%s: %s", name, kind)
			}
			assert.Less(t, written.Len(), 10*otelx.MaxText, name)
		}
	}
}

func TestLoggersGroupNamesTheSecret(t *testing.T) {
	t.Parallel()
	var written bytes.Buffer
	log := slog.New(newAttributes(t, otelx.Config{}).Handler(slog.NewJSONHandler(&written, nil), nil))
	log.WithGroup("credentials").With("a", "hunter2").WithGroup("x").InfoContext(t.Context(), "x", "b", "hunter3", "n", 3)
	log.InfoContext(t.Context(), "x", "b", "seen", "password", 47114711470)
	assert.NotContains(t, written.String(), "hunter")
	assert.NotContains(t, written.String(), "4711471147")
	assert.Contains(t, written.String(), `"b":"seen"`)
}

// What has no secret in it is handed on as it is, so that handlers find what they look for.
func TestValuesOfNoSecretStayThemselves(t *testing.T) {
	t.Parallel()
	type point struct {
		X, Y int
		Name string
		next *point
	}
	r := otelx.DefaultRedactor()
	numbers := make([]float64, 1_000_000)
	for _, value := range []any{
		acme.ID, point{1, 2, "p", &point{}}, &point{Name: "q"}, map[string]int{"a": 1}, []string{"a"}, io.EOF, []byte("text"), nil,
		json.RawMessage(`{"a":1}`), (*point)(nil), (*url.URL)(nil), (*panics)(nil), numbers, 3, true,
	} {
		assert.Equal(t, slog.AnyValue(value).Any(), r.Attr(slog.Any("x", value)).Value.Any())
	}
	assert.Equal(t, otelx.Redacted, r.Attr(slog.Any("x", url.UserPassword("app", "hunter2"))).Value.Any(), "it has nothing else to tell")
	assert.Equal(t, "[its methods panic]", r.Attr(slog.Any("x", &panics{})).Value.Any())
}

func TestWhatNeverEndsIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	r := otelx.DefaultRedactor()
	around := cyclic{}
	around["itself"] = []any{around, around}
	clean, err := json.Marshal(r.Attr(slog.Any("x", around)).Value.Any())
	require.NoError(t, err)
	assert.Contains(t, string(clean), "left out")
	pointers := new(ring)
	pointers.Next = &ring{pointers}
	clean, err = json.Marshal(r.Attr(slog.Any("x", pointers)).Value.Any())
	require.NoError(t, err)
	assert.Contains(t, string(clean), "left out")
	group := r.Attr(slog.Any("x", new(endless)))
	assert.NotPanics(t, func() { _ = group.Value.String() })
	assert.Contains(t, group.Value.String(), "left out")
}

func TestNoPartOfASpanHasASecret(t *testing.T) {
	t.Parallel()
	own, err := otelx.NewRedactor(regexp.MustCompile(`PIN\d`))
	require.NoError(t, err)
	secrets := []string{"PIN7"}
	texts := []string{"PIN7"}
	for text, secret := range secretTexts {
		if len(text) > 1000 { // which takes its time
			continue
		}
		texts, secrets = append(texts, text), append(secrets, secret)
	}
	for i, text := range texts {
		exporter := tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(
			sdktrace.WithSyncer(otelx.RedactSpans(exporter, own)),
			sdktrace.WithResource(resource.NewSchemaless(attribute.StringSlice("process.command_args", []string{"serve", text}))),
		)
		bag := []attribute.KeyValue{
			attribute.String("a", text), attribute.StringSlice("b", []string{"x", text}), attribute.ByteSlice("c", []byte(text)),
			attribute.Slice("d", attribute.StringValue(text), attribute.SliceValue(attribute.StringValue(text))),
			attribute.Map("e", attribute.String("f", text), attribute.String("password", secrets[i])),
			attribute.Map("token", attribute.String("g", secrets[i])),
			attribute.String("http.request.header.authorization", secrets[i]), attribute.StringSlice("x_api_key", []string{secrets[i]}),
			attribute.ByteSlice("secret", []byte(secrets[i])), attribute.Int("tokens", 5),
		}
		tracer := provider.Tracer("test", trace.WithInstrumentationAttributes(bag...))
		_, other := tracer.Start(t.Context(), "other")
		_, span := tracer.Start(t.Context(), "span "+text, trace.WithLinks(trace.Link{SpanContext: other.SpanContext(), Attributes: bag}))
		span.SetAttributes(bag...)
		span.AddEvent("event "+text, trace.WithAttributes(bag...))
		span.RecordError(errors.New(text))
		span.SetStatus(codes.Error, text)
		span.End()
		spans := exporter.GetSpans()
		require.Len(t, spans, 1)
		span0 := spans[0]
		all := fmt.Sprint(span0.Name, span0.Status, span0.Attributes, span0.Events, span0.Links, span0.InstrumentationScope.Attributes.ToSlice(), span0.Resource.Attributes())
		assert.NotContains(t, all, secrets[i], "%.200s", text)
		assert.Contains(t, all, "{tokens 5}", "a number of tokens is none")
	}
}

func BenchmarkRedactedLine(b *testing.B) {
	r := otelx.DefaultRedactor()
	for b.Loop() {
		_ = r.Text("limits are counted again after 12 failures")
		_ = r.Attr(slog.String("path", "/v1/notes/018f4e5a-0000-7000-8000-000000000001"))
		_ = r.Attr(slog.Any("id", acme.ID))
	}
}
