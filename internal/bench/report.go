package main

import (
	"fmt"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// goal is what a workload of ours may cost, as a multiple of another contender's.
type goal struct {
	tenants  int
	workload string
	base     string
	most     float64
}

var goals = []goal{
	{1, "read", raw, 1.25},
	{100, "read", qualified, 1.25},
	{2000, "read", qualified, 1.10},
	{1, "write", raw, 1.40},
	{1, "transaction", raw, 1.20},
}

// allocations is how many more than raw pgx a statement of ours may need.
const allocations = 8

// show prints the table of one workload, and the goals.
func show(n int, work string, entrants []*entrant, s settings) {
	fmt.Printf("\n%s, %d tenants, %d callers, %d connections: medians of %d rounds of %s\n", work, n, s.callers, s.pool, s.rounds, s.slice)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\tCPU µs\tclient\tserver\t× raw\t× qualified\twall µs\t× raw\tallocs\tround trips\t")
	base, floor := find(entrants, raw), find(entrants, qualified)
	for _, e := range entrants {
		costs := e.costs[work]
		_, _ = fmt.Fprintf(table, "%s\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.1f\t%.2f\t%.0f\t%s\t\n", e.name,
			median(costs, func(c cost) float64 { return perOperation(c.client+c.server, c) }),
			median(costs, func(c cost) float64 { return perOperation(c.client, c) }),
			median(costs, func(c cost) float64 { return perOperation(c.server, c) }),
			ratio(e, base, work, cpu), ratio(e, floor, work, cpu),
			median(costs, func(c cost) float64 { return wall(c) * float64(s.callers) }),
			ratio(e, base, work, wall),
			e.allocs[index(work)], e.trips)
	}
	_ = table.Flush() // to standard output; there is nobody to tell
	us := find(entrants, ours)
	if us == nil {
		return
	}
	for _, g := range goals {
		if g.tenants == n && g.workload == work {
			verdict("CPU", fmt.Sprintf("× %s", g.base), ratio(us, find(entrants, g.base), work, cpu), g.most)
		}
	}
	if n == 1 && work != "transaction" {
		verdict("allocations", "over raw", us.allocs[index(work)]-base.allocs[index(work)], allocations)
	}
}

func verdict(what, unit string, got, most float64) {
	reached := "reached"
	if got > most {
		reached = "MISSED"
	}
	fmt.Printf("goal: %s ≤ %.4g %s; %.2f: %s\n", what, most, unit, got, reached)
}

func find(entrants []*entrant, name string) *entrant {
	for _, e := range entrants {
		if e.name == name {
			return e
		}
	}
	return nil
}

func index(work string) int {
	return slices.IndexFunc(workloads, func(w workload) bool { return w.name == work })
}

func perOperation(d time.Duration, c cost) float64 {
	return float64(d) / float64(time.Microsecond) / float64(max(1, c.operations))
}

func cpu(c cost) float64  { return perOperation(c.client+c.server, c) }
func wall(c cost) float64 { return perOperation(c.wall, c) }

func median(costs []cost, of func(cost) float64) float64 {
	values := make([]float64, len(costs))
	for i, c := range costs {
		values[i] = of(c)
	}
	return middle(values)
}

// ratio compares slices of the same round, which the machine has treated alike.
func ratio(e, base *entrant, work string, of func(cost) float64) float64 {
	values := make([]float64, len(e.costs[work]))
	for i, c := range e.costs[work] {
		values[i] = of(c) / of(base.costs[work][i])
	}
	return middle(values)
}

func middle(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
