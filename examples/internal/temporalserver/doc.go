// Package temporalserver runs a Temporal server inside this process, for the tests and
// for the Notes example, so that both run on a machine on which nothing was set up.
//
// It is the real server, of all its four services, on SQLite: in memory, or in a folder
// where the next start finds it again. It listens on 127.0.0.1 alone, with a fairness that
// works (see [Config]), and with the search attribute [TenantID] registered.
//
// The server is some 100 MB of a program, and minutes of its first build. The build tag
// notes_lean leaves it out; [Start] then returns [ErrLeftOut].
//
// A server that was closed leaves some goroutines behind, which are not ours to end:
// [Leftovers] names them for goleak. So a test binary starts one, and shares it.
package temporalserver
