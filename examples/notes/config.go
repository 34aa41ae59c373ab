package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
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
	operatorToken string // empty: the admin routes do not exist
}

// demoOperatorToken is the operator's token where it matters to nobody.
const demoOperatorToken = "demo-admin"

// parseConfig reads the flags, each of which takes its default from an environment
// variable. A variable that is empty counts as not set. Usage and complaints about
// flags are written to usage; [flag.ErrHelp] says that only the usage was asked for.
func parseConfig(args []string, getenv func(string) string, usage io.Writer) (config, error) {
	cfg := config{
		databaseURL:   getenv("DATABASE_URL"),
		operatorToken: getenv("NOTES_ADMIN_TOKEN"),
		smtp: smtpConfig{
			addr: getenv("SMTP_ADDR"), from: getenv("SMTP_FROM"),
			username: getenv("SMTP_USERNAME"), password: getenv("SMTP_PASSWORD"),
		},
	}
	demo := cfg.databaseURL == ""
	if text := getenv("NOTES_DEMO"); text != "" {
		on, err := strconv.ParseBool(text)
		if err != nil {
			return config{}, errors.New("NOTES_DEMO is neither true nor false")
		}
		demo = on
	}

	flags := flag.NewFlagSet("notes", flag.ContinueOnError)
	flags.SetOutput(usage)
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
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	if flags.NArg() > 0 {
		return config{}, fmt.Errorf("unexpected argument %q: there are only flags", flags.Arg(0))
	}
	cfg.smtp.from = cmp.Or(cfg.smtp.from, "notes@"+cfg.baseDomain)
	if cfg.demo {
		cfg.operatorToken = cmp.Or(cfg.operatorToken, demoOperatorToken)
	}
	return cfg, nil
}
