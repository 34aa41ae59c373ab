// Package quotabench measures what it costs to ask for several limits at once, beside a
// library that asks for one: github.com/go-redis/redis_rate. It is here, and not in the
// module's root, so that users of the library don't link it.
//
//	go test -run '^$' -bench . ./examples/internal/quotabench
package quotabench
