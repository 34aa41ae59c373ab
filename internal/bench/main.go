// Command bench compares what a statement and a transaction cost when they are confined to
// a tenant in each of the ways there are, with what they cost without:
//
//	go run ./internal/bench            # everything, about ten minutes
//	go run ./internal/bench -rounds 5 -tenants 1,100 -contenders 'raw|tenantdb'
//
// All contenders run on one private PostgreSQL, in turns: a short slice each, in an order
// that changes from round to round, so that whatever else the machine does meets them all.
// Of each slice it takes the CPU time that this process and the server's processes have
// used for it, and the wall time; per operation, and as a ratio to another contender's
// slice of the same round. What is printed are the medians over all rounds.
//
// The server keeps its data in memory and does not sync: it is the CPU that is compared.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// settings are the command's flags.
type settings struct {
	tenants    []int
	contenders *regexp.Regexp
	workloads  *regexp.Regexp
	rounds     int
	slice      time.Duration
	warmUp     time.Duration
	callers    int
	pool       int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	s, err := parse(args)
	if err != nil {
		return err
	}
	w, err := newWorld(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	for _, n := range s.tenants {
		if err := compare(ctx, w, s, n); err != nil {
			return err
		}
	}
	return nil
}

func parse(args []string) (settings, error) {
	s := settings{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	tenants := flags.String("tenants", "1,100,2000", "numbers of tenants to compare with")
	contenders := flags.String("contenders", "", "regular expression of the contenders that take part; raw and qualified always do")
	workloads := flags.String("workloads", "", "regular expression of the workloads: read, write, transaction")
	flags.IntVar(&s.rounds, "rounds", 20, "rounds, in each of which every contender has a slice of each workload")
	flags.DurationVar(&s.slice, "slice", 200*time.Millisecond, "length of a slice")
	flags.DurationVar(&s.warmUp, "warm-up", 2*time.Second, "for each contender and number of tenants, before the first round")
	flags.IntVar(&s.callers, "callers", 16, "goroutines that work at the same time")
	flags.IntVar(&s.pool, "pool", 16, "connections of each contender")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	for field := range strings.SplitSeq(*tenants, ",") {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return s, fmt.Errorf("-tenants: %q is not a number above 0", field)
		}
		s.tenants = append(s.tenants, n)
	}
	var err error
	if s.contenders, err = regexp.Compile(*contenders); err != nil {
		return s, fmt.Errorf("-contenders: %w", err)
	}
	if s.workloads, err = regexp.Compile(*workloads); err != nil {
		return s, fmt.Errorf("-workloads: %w", err)
	}
	if s.rounds < 1 || s.slice <= 0 || s.callers < 1 || s.pool < 1 {
		return s, errors.New("-rounds, -slice, -callers and -pool must be above 0")
	}
	return s, nil
}
