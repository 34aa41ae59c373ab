package isolationtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// What a difference in time must be to be told: far beyond chance by the rank test, and so
// large that it can be measured from outside.
const (
	timingScore = 6.0
	timingRatio = 1.25
	timingGap   = 200 * time.Microsecond
)

// time compares how long a route takes to answer for A's ids and for ids that never were, in
// turn, so that whatever else slows the service slows both.
func (c *checker) time(ctx context.Context, r Route, way string, build func(func(string) string) attempt) error {
	if c.cfg.TimingSamples == 0 || !r.reads() {
		return nil
	}
	var theirs, never []time.Duration
	for range c.cfg.TimingSamples {
		for _, sample := range []struct {
			of    *[]time.Duration
			value func(string) string
		}{{&never, forge}, {&theirs, same}} {
			got, err := c.client.send(ctx, c.b, build(sample.value).call, c.b.sign)
			if err != nil {
				return err
			}
			*sample.of = append(*sample.of, got.took)
		}
	}
	if told := timingDifference(theirs, never); told != "" {
		c.report.find(Finding{Timing, r.name(), way, told})
	}
	return nil
}

// timingDifference tells what the samples differ by, or is empty.
func timingDifference(theirs, never []time.Duration) string {
	a, n := median(theirs), median(never)
	score := rankScore(theirs, never)
	if (a-n).Abs() < timingGap || float64(max(a, n)) < timingRatio*float64(min(a, n)) || math.Abs(score) < timingScore {
		return ""
	}
	return fmt.Sprintf("it takes %s, and %s for ids that never were (score %.1f)", a, n, score)
}

func median(d []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[len(sorted)/2]
}

// rankScore is how many standard deviations the ranks of a are from those of b, by the test
// of Mann and Whitney: single slow answers count as one, however slow.
func rankScore(a, b []time.Duration) float64 {
	type sample struct {
		took time.Duration
		ofA  bool
	}
	var all []sample
	for _, d := range a {
		all = append(all, sample{d, true})
	}
	for _, d := range b {
		all = append(all, sample{d, false})
	}
	slices.SortFunc(all, func(x, y sample) int { return cmp.Compare(x.took, y.took) })
	ranks := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].took == all[i].took {
			j++
		}
		for _, s := range all[i:j] {
			if s.ofA {
				ranks += float64(i+j+1) / 2 // those of equal samples, on average
			}
		}
		i = j
	}
	n, m := float64(len(a)), float64(len(b))
	u := ranks - n*(n+1)/2
	return (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
}
