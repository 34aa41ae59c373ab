// Command notes is a multi-tenant service on tenantwall: a small one, but whole, to be
// read and copied from. Its HTTP contract is in API.md beside this file.
//
// Read server.go and routes.go first, then middleware.go: how a request gets from the
// wire to a tenant. notes.go and notes_store.go are what a product itself consists of:
// handlers, and SQL that names no tenant.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"
	"go.opentelemetry.io/otel"
)

func main() {
	by := whoStarted()                                           // before anything that takes time, for the parent may end
	logging.Disable()                                            // of the Redis client, which writes plain text; what matters is in our log
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { // the same; it tells of collectors that are away
		slog.New(slog.NewJSONHandler(os.Stderr, nil)).Warn("telemetry", "error", err.Error())
	}))
	os.Exit(run(by, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// run is the program: it serves until it is told to stop, by a signal or by the end of
// whoever started it, and returns the exit code. A second signal ends it at once.
func run(by starter, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	cfg, err := parseConfig(args, getenv, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "notes:", err)
		return 2
	}
	lines, err := logHandler(cfg, slog.NewJSONHandler(stderr, nil))
	if err != nil {
		fmt.Fprintln(stderr, "notes:", err)
		return 2
	}
	log := slog.New(lines)

	told, forget := signal.NotifyContext(context.Background(), endSignals()...)
	defer forget()
	ctx, cancel := withParent(told, by)
	defer cancel()
	context.AfterFunc(ctx, forget) // the next signal is the system's to handle

	svc, err := startService(ctx, cfg, log, stdout)
	if err != nil {
		if ctx.Err() != nil { // told to stop while it started
			return 0
		}
		fmt.Fprintln(stderr, "notes:", err)
		return 1
	}
	fmt.Fprintln(stdout, "ready", svc.url)

	select {
	case <-ctx.Done():
		log.Info("stopping", "cause", context.Cause(ctx).Error())
	case err = <-svc.failed:
		log.Error("stopping", "cause", err.Error())
	}
	if closeErr := svc.close(); closeErr != nil {
		fmt.Fprintln(stderr, "notes:", closeErr)
		return 1
	}
	if err != nil {
		return 1
	}
	return 0
}

// endSignals are the signals that stop the program: Ctrl-C, a supervisor's, and that of a
// terminal which is closed, unless whoever started the program has it ignored (nohup).
func endSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}
