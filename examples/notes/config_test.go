package main

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestConfigOfFlagsAndEnvironment(t *testing.T) {
	t.Parallel()
	const url = "postgres://owner@db.example/notes"
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want config
	}{
		"nothing": {nil, nil, config{addr: "127.0.0.1:8080", baseDomain: "localhost", demo: true, operatorToken: "demo-admin"}},
		"variables": {
			nil,
			map[string]string{"NOTES_ADDR": ":1", "NOTES_DATA": "d", "NOTES_BASE_DOMAIN": "a.example", "NOTES_DEMO": "false", "NOTES_ADMIN_TOKEN": "o"},
			config{addr: ":1", data: "d", baseDomain: "a.example", operatorToken: "o"},
		},
		"flags win": {
			[]string{"-addr", ":2", "-data", "e", "-base-domain", "b.example", "-demo=true"},
			map[string]string{"NOTES_ADDR": ":1", "NOTES_DATA": "d", "NOTES_BASE_DOMAIN": "a.example", "NOTES_DEMO": "false", "NOTES_ADMIN_TOKEN": "o"},
			config{addr: ":2", data: "e", baseDomain: "b.example", demo: true, operatorToken: "o"},
		},
		"empty variables":            {nil, map[string]string{"NOTES_ADDR": "", "NOTES_DEMO": "", "DATABASE_URL": ""}, config{addr: "127.0.0.1:8080", baseDomain: "localhost", demo: true, operatorToken: "demo-admin"}},
		"a real database is no demo": {nil, map[string]string{"DATABASE_URL": url}, config{addr: "127.0.0.1:8080", baseDomain: "localhost", databaseURL: url}},
		"unless it is asked for":     {[]string{"-demo"}, map[string]string{"DATABASE_URL": url}, config{addr: "127.0.0.1:8080", baseDomain: "localhost", databaseURL: url, demo: true, operatorToken: "demo-admin"}},
		"links lead elsewhere":       {nil, map[string]string{"NOTES_BASE_URL": "https://notes.example"}, config{addr: "127.0.0.1:8080", baseDomain: "localhost", baseURL: "https://notes.example", demo: true, operatorToken: "demo-admin"}},
		"a mail server": {
			[]string{"-base-url", "https://n.example"},
			map[string]string{"SMTP_ADDR": "mail.example:587", "SMTP_FROM": "Notes <n@example.com>", "SMTP_USERNAME": "u", "SMTP_PASSWORD": "p"},
			config{
				addr: "127.0.0.1:8080", baseDomain: "localhost", baseURL: "https://n.example", demo: true, operatorToken: "demo-admin",
				smtp: smtpConfig{addr: "mail.example:587", from: "Notes <n@example.com>", username: "u", password: "p"},
			},
		},
		"traces to a terminal and a collector": {
			[]string{"-trace"}, map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "NOTES_TRUST_TRACES": "true"},
			config{
				addr: "127.0.0.1:8080", baseDomain: "localhost", demo: true, operatorToken: "demo-admin",
				telemetry: telemetryConfig{collector: true, summary: io.Discard, trustTraces: true},
			},
		},
		"no demo has no operator's token": {[]string{"-demo=false"}, nil, config{addr: "127.0.0.1:8080", baseDomain: "localhost"}},
	} {
		got, err := parseConfig(c.args, func(name string) string { return c.env[name] }, io.Discard)
		require.NoError(t, err, name)
		if c.want.smtp.from == "" {
			c.want.smtp.from = "notes@" + c.want.baseDomain
		}
		assert.Equal(t, c.want, got, name)
	}
}
