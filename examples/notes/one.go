package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// querier is a session of a tenant, or a transaction in one.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// one runs a statement that concerns one row, whose columns are T's fields in their order.
// Without a row the error is missing.
func one[T any](ctx context.Context, in querier, missing error, sql string, args ...any) (T, error) {
	var none T
	rows, err := in.Query(ctx, sql, args...)
	if err != nil {
		return none, err
	}
	row, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[T])
	if errors.Is(err, pgx.ErrNoRows) {
		return none, missing
	}
	return row, err
}

// pathID is the id in the path. What is no id, or not in the form that the API gives, is the
// id of nothing: the error is missing.
func pathID(r *http.Request, missing error) (pgtype.UUID, error) {
	text := r.PathValue("id")
	var id pgtype.UUID
	if err := id.Scan(text); err != nil || id.String() != text {
		return pgtype.UUID{}, missing
	}
	return id, nil
}
