// Package devstack gives the examples the servers that they need: real ones where they
// are told of one, and otherwise private ones that they start and stop themselves, so
// that an example runs on a machine on which nothing was set up.
package devstack
