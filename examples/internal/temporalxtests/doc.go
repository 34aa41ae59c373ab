// Package temporalxtests holds the tests of package temporalx that need a real Temporal
// server: they are in this module, because the library's own does not require one.
package temporalxtests
