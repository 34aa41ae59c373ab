package quota

import (
	"context"

	"github.com/redis/go-redis/v9"

	"github.com/tenantwall/tenantwall/tenant"
)

// script is a Lua script that answers with an array of integers.
type script struct {
	source, hash string
}

func newScript(source string) script {
	return script{source: source, hash: redis.NewScript(source).Hash()}
}

// call is a script's run in the making: a [redis.Script] would copy its arguments, and put
// each number of the answer on the heap.
type call struct {
	client redis.UniversalClient
	key    string // the tenant's hash
	args   []any
}

// Places in the arguments of EVALSHA and EVAL.
const (
	argCommand = iota
	argScript
	argNumKeys
	argKeys
)

// slotInfix is between a tenant's key and the name of a concurrency limit.
const slotInfix = ":c:"

// call begins a call that has so many keys, of which the first is the tenant's hash, and
// then so many arguments. The tenant's id is of one length and form, so no two of any names
// make one key; in its braces, it is what a cluster chooses the slot by.
func (r *Redis) call(in tenant.ID, keys, args int) call {
	b := make([]byte, 0, len(r.prefix)+len("{}")+36)
	b = append(b, r.prefix...)
	b = append(b, '{')
	b, _ = in.AppendText(b) // never fails
	c := call{client: r.client, key: string(append(b, '}')), args: make([]any, argKeys, argKeys+keys+args)}
	c.args[argCommand], c.args[argNumKeys] = "evalsha", keys
	c.args = append(c.args, c.key)
	return c
}

// addSlots adds the key of the set of a concurrency limit's slots.
func (c *call) addSlots(name string) { c.args = append(c.args, c.key+slotInfix+name) }

// run runs the script, and tells it to a Redis that doesn't know it.
func (c *call) run(ctx context.Context, s *script) ([]int64, error) {
	c.args[argScript] = s.hash
	cmd := redis.NewIntSliceCmd(ctx, c.args...)
	err := c.client.Process(ctx, cmd)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		c.args[argCommand], c.args[argScript] = "eval", s.source
		cmd = redis.NewIntSliceCmd(ctx, c.args...)
		err = c.client.Process(ctx, cmd)
	}
	return cmd.Val(), err
}
