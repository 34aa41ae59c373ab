package pgtest

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// Example stands for the test that an example doesn't have, so that what helps a test helps
// an example. What fails panics; done is the test's end, with its clean-ups.
func Example() (t testing.TB, done func()) {
	x := new(example)
	return x, func() {
		for _, fn := range slices.Backward(x.cleanups) {
			fn()
		}
	}
}

type example struct {
	testing.TB // nil: what is not overridden here is not called
	cleanups   []func()
}

func (*example) Name() string              { return "Example" }
func (*example) Helper()                   {}
func (*example) Context() context.Context  { return context.Background() }
func (*example) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (*example) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (*example) Fatal(a ...any)            { panic(fmt.Sprint(a...)) }
func (*example) FailNow()                  { panic("failed") }
func (x *example) Cleanup(fn func())       { x.cleanups = append(x.cleanups, fn) }
