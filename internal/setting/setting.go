// Package setting is the one rule of numbers and durations in configurations: zero means the
// default, below zero turns off what can be, and what is out of bounds is an error that names
// the setting, never a value that is quietly another.
package setting

import (
	"cmp"
	"fmt"
)

// Complete puts the standard value in the place of zero. The error is about a value that is
// not from least to most, and says what it is called, what it is, and what it may be; the
// value stays as it was then.
func Complete[T cmp.Ordered](name string, value *T, standard, least, most T) error {
	var zero T
	switch {
	case *value == zero:
		*value = standard
	case !(*value >= least && *value <= most): // what is not a number fails too
		return fmt.Errorf("%s is %v, and must be from %v to %v", name, *value, least, most)
	}
	return nil
}

// CompleteOrOff is [Complete] for what a value below 0 turns off, which stays as it is then.
func CompleteOrOff[T cmp.Ordered](name string, value *T, standard, least, most T) error {
	var zero T
	if *value < zero {
		return nil
	}
	return Complete(name, value, standard, least, most)
}
