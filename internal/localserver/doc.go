// Package localserver starts private PostgreSQL, Redis and PgBouncer servers as
// child processes, for the tests of this repository and for its example, so that
// neither needs a server to be set up and neither touches one that is.
//
// Every server listens on a free port of the loopback interface, wants a
// password made for it, keeps its files in a folder of its own, and ends with the
// process that started it: in order at Close, and on Linux also when that process
// is killed (elsewhere a killed parent can leave its servers running). Servers run
// in a process group of their own, so that Ctrl-C in a terminal reaches the parent
// alone, and it decides when they stop.
//
// PostgreSQL and PgBouncer refuse to run as root. Started by root, all servers run
// as the user postgres, or nobody where there is no such user.
//
// A program that is not installed is a [*MissingError], which says what to install.
// Linux and macOS are supported.
package localserver
