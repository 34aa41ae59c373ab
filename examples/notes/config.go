package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/tenantwall/tenantwall/quota"
	"github.com/tenantwall/tenantwall/resolve"
)

// config is what the flags and the environment say.
type config struct {
	addr          string // host:port to listen on; port 0 picks one
	data          string // folder of the embedded servers; empty: thrown away at exit
	baseDomain    string // tenants are at <slug>.baseDomain
	demo          bool   // demo data, POST /v1/login and GET /demo/outbox
	baseURL       string // where people reach the service; empty: this machine
	smtp          smtpConfig
	databaseURL   string // an owner's connection to a PostgreSQL server; empty: an embedded one
	redisURL      string // a Redis server; empty: an embedded one
	temporal      temporalConfig
	operatorToken string // empty: the admin routes do not exist
	telemetry     telemetryConfig
	plans         []quota.Plan // what the database gets when it has none; nil means those of the service
}

// temporalConfig says where Temporal is.
type temporalConfig struct {
	address   string // host:port; empty: an embedded server
	namespace string // empty: "default"
}

// demoOperatorToken is the operator's token where it matters to nobody.
const demoOperatorToken = "demo-admin"

// parseConfig reads the flags, each of which takes its default from an environment
// variable. A variable that is empty counts as not set. Usage and complaints about flags
// are written to stderr, as traces will be; [flag.ErrHelp] says that only the usage
// was asked for.
func parseConfig(args []string, getenv func(string) string, stderr io.Writer) (config, error) {
	cfg := config{
		databaseURL:   getenv("DATABASE_URL"),
		redisURL:      getenv("REDIS_URL"),
		temporal:      temporalConfig{address: getenv("TEMPORAL_ADDRESS"), namespace: getenv("TEMPORAL_NAMESPACE")},
		operatorToken: getenv("NOTES_ADMIN_TOKEN"),
		smtp: smtpConfig{
			addr: getenv("SMTP_ADDR"), from: getenv("SMTP_FROM"),
			username: getenv("SMTP_USERNAME"), password: getenv("SMTP_PASSWORD"),
		},
	}
	cfg.telemetry.collector = getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != ""
	demo, trace := cfg.databaseURL == "", false
	for _, s := range []struct {
		variable string
		on       *bool
	}{{"NOTES_DEMO", &demo}, {"NOTES_TRACE", &trace}, {"NOTES_TRUST_TRACES", &cfg.telemetry.trustTraces}} {
		text := getenv(s.variable)
		if text == "" {
			continue
		}
		var err error
		if *s.on, err = strconv.ParseBool(text); err != nil {
			return config{}, fmt.Errorf("%s is neither true nor false", s.variable)
		}
	}

	flags := flag.NewFlagSet("notes", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&cfg.addr, "addr", cmp.Or(getenv("NOTES_ADDR"), "127.0.0.1:8080"),
		"`address` to listen on; port 0 picks one (NOTES_ADDR)")
	flags.StringVar(&cfg.data, "data", getenv("NOTES_DATA"),
		"`folder` that keeps the data of the embedded servers; without one they are thrown away at exit (NOTES_DATA)")
	flags.StringVar(&cfg.baseDomain, "base-domain", cmp.Or(getenv("NOTES_BASE_DOMAIN"), "localhost"),
		"`domain` whose subdomains are tenants (NOTES_BASE_DOMAIN)")
	flags.StringVar(&cfg.baseURL, "base-url", getenv("NOTES_BASE_URL"),
		"`address` at which people reach the service, for the links in mails: https, but on this machine; by default localhost and the port (NOTES_BASE_URL)")
	flags.BoolVar(&cfg.demo, "demo", demo,
		"have demo tenants, and sign users in by their e-mail address alone; by default with an embedded PostgreSQL only (NOTES_DEMO)")
	flags.BoolVar(&trace, "trace", trace,
		"write a summary of each trace to stderr; OTEL_EXPORTER_OTLP_ENDPOINT sends traces and metrics to a collector (NOTES_TRACE)")
	flags.BoolVar(&cfg.telemetry.trustTraces, "trust-traces", cfg.telemetry.trustTraces,
		"go on with the trace that a request names, because a gateway keeps strangers' out; by default it is linked alone (NOTES_TRUST_TRACES)")
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	}
	// Asked once, of no request in particular, it tells what keeps the base domain from being one.
	if _, err := resolve.Subdomain(cfg.baseDomain).Tenant(&http.Request{}); err != nil {
		return config{}, err
	}
	if trace {
		cfg.telemetry.summary = stderr
	}
	cfg.smtp.from = cmp.Or(cfg.smtp.from, "notes@"+cfg.baseDomain)
	if cfg.demo {
		cfg.operatorToken = cmp.Or(cfg.operatorToken, demoOperatorToken)
	}
	return cfg, nil
}
