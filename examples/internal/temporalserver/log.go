//go:build !notes_lean

package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// errFatal is what the server would end a process of its own with, such as a port that
// is taken.
var errFatal = errors.New("the server gave up")

// logger hands what the server says to slog.
type logger struct {
	to    *slog.Logger
	fatal chan error // the first fatal complaint
}

var _ log.Logger = (*logger)(nil)

func newLogger(to *slog.Logger) *logger { return &logger{to: to, fatal: make(chan error, 1)} }

// What the server goes on after is about its own affairs, and there is much of it: also of
// its errors, above all while it starts and stops.
func (l *logger) Debug(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }
func (l *logger) Info(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l *logger) Warn(msg string, tags ...tag.Tag)  { l.log(slog.LevelDebug, msg, tags) }
func (l *logger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelDebug, msg, tags) }

// DPanic would panic in development.
func (l *logger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic panics, as the server expects.
func (l *logger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic("temporalserver: " + msg)
}

// Fatal ends the goroutine and not the process, which is not the server's.
func (l *logger) Fatal(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	err := fmt.Errorf("%w: %s", errFatal, msg)
	for _, t := range tags {
		if cause, ok := t.Value().(error); ok {
			err = fmt.Errorf("%w: %w", err, cause)
		}
	}
	select {
	case l.fatal <- err:
	default: // the first one tells more
	}
	runtime.Goexit()
}

func (l *logger) log(level slog.Level, msg string, tags []tag.Tag) {
	ctx := context.Background() // the server has none here
	if !l.to.Enabled(ctx, level) {
		return
	}
	attrs := make([]slog.Attr, 0, len(tags))
	for _, t := range tags {
		attrs = append(attrs, slog.Any(t.Key(), t.Value()))
	}
	l.to.LogAttrs(ctx, level, msg, attrs...) //nolint:sloglint // the server's messages are its own
}

// quietSDK is a client's log that nobody reads.
func quietSDK() sdklog.Logger { return sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)) }
