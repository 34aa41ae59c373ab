package temporalx

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/tenantwall/tenantwall/tenantdb"
)

// InTx makes an activity of fn, which runs in a transaction of the tenant that the activity
// is for: its statements see that tenant's tables and no other's. It is committed when fn
// returns nil.
//
//	w.RegisterActivityWithOptions(temporalx.InTx(db, CountNotes), activity.RegisterOptions{Name: "CountNotes"})
//
// It needs a name, for it has none of its own. An activity whose answer is lost runs again,
// so what it writes is to be the same then: an upsert, or a row with an id out of In.
//
// An error that is a [*tenant.Error] ends the activity for good, but for one of the code
// unavailable; [Refused] knows its code. Other errors are tried again, as the retry policy
// says. An activity that has no use for one transaction takes the DB from its receiver.
func InTx[In, Out any](db *tenantdb.DB, fn func(ctx context.Context, tx pgx.Tx, in In) (Out, error)) func(context.Context, In) (Out, error) {
	return func(ctx context.Context, in In) (Out, error) {
		var out Out
		err := db.InTx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
			out, err = fn(ctx, tx, in)
			return err
		})
		if err != nil {
			var none Out
			return none, toTemporal(err)
		}
		return out, nil
	}
}
