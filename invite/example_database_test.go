package invite_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
)

// exampleTest stands for the test that an example has not.
type exampleTest struct {
	testing.TB // nil: what is not overridden here is not called
	cleanups   []func()
}

func (*exampleTest) Name() string              { return "Example" }
func (*exampleTest) Helper()                   {}
func (*exampleTest) Context() context.Context  { return context.Background() }
func (*exampleTest) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (*exampleTest) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }
func (*exampleTest) FailNow()                  { panic("failed") }
func (x *exampleTest) Cleanup(fn func())       { x.cleanups = append(x.cleanups, fn) }

// exampleSite is a database with a catalog, for an example.
func exampleSite() (_ site, done func()) {
	x := new(exampleTest)
	s := setUp(x)
	return s, func() {
		for _, fn := range slices.Backward(x.cleanups) {
			fn()
		}
	}
}
