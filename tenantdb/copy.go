package tenantdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// copyFrom loads rows within a transaction that is bound. It is pgx's CopyFrom but for what
// the table is like: pgx asks that once a connection, and would encode a tenant's values in
// the types that another tenant's columns have, or that they had before a migration. Here it
// is asked each time, for a trip.
func (x *exchange) copyFrom(ctx context.Context, table pgx.Identifier, columns []string, src pgx.CopyFromSource) (n int64, err error) {
	var tag pgconn.CommandTag
	if tracer, ok := x.c.tracer.(pgx.CopyFromTracer); ok {
		ctx = tracer.TraceCopyFromStart(ctx, x.c.Conn, pgx.TraceCopyFromStartData{TableName: table, ColumnNames: columns})
		defer func() { tracer.TraceCopyFromEnd(ctx, x.c.Conn, pgx.TraceCopyFromEndData{CommandTag: tag, Err: err}) }()
	}
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = quote(column)
	}
	list := strings.Join(quoted, ", ")
	sd, err := x.c.PgConn().Prepare(ctx, "", "select "+list+" from "+table.Sanitize(), nil) // locks the table as it is
	if err != nil {
		return 0, err
	}
	rows := copyRows{types: x.c.TypeMap(), columns: sd.Fields, src: src, ready: copyHeader}
	tag, err = x.c.PgConn().CopyFrom(ctx, &rows, "copy "+table.Sanitize()+" ( "+list+" ) from stdin binary")
	rows.close()
	if rows.panicked != nil {
		panic(rows.panicked) // where the caller can recover from it
	}
	return tag.RowsAffected(), err
}

// copyHeader begins the binary format of COPY (PostgreSQL documentation, COPY): a signature,
// no flags, no extension.
var copyHeader = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")

// copyChunk is about how many bytes are encoded at a time.
const copyChunk = 32 << 10

// copyRows is the rows of a source in the binary format of COPY. pgconn reads it in a
// goroutine of its own.
type copyRows struct {
	types   *pgtype.Map
	columns []pgconn.FieldDescription

	mu       sync.Mutex
	src      pgx.CopyFromSource // nil once it is at its end, or of no more use
	ready    []byte             // encoded, and not read yet
	buf      []byte
	panicked any
}

func (r *copyRows) Read(p []byte) (n int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() {
		if cause := recover(); cause != nil {
			r.panicked, r.src, err = cause, nil, errors.New("the source of the rows panicked")
		}
	}()
	for len(r.ready) == 0 {
		if r.src == nil {
			return 0, io.EOF
		}
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n = copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// close waits for a Read under way. After it the source is the caller's alone.
func (r *copyRows) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.src, r.ready = nil, nil
}

// fill encodes the next rows.
func (r *copyRows) fill() error {
	r.buf = r.buf[:0]
	for len(r.buf) < copyChunk {
		if !r.src.Next() {
			err := r.src.Err()
			r.src = nil
			if err != nil {
				return err
			}
			break
		}
		values, err := r.src.Values()
		if err != nil {
			return err
		}
		if len(values) != len(r.columns) {
			return fmt.Errorf("expected %d values, got %d values", len(r.columns), len(values))
		}
		r.buf = binary.BigEndian.AppendUint16(r.buf, uint16(len(values)))
		for i, value := range values {
			if r.buf, err = appendCopyValue(r.types, r.buf, r.columns[i].DataTypeOID, value); err != nil {
				return fmt.Errorf("column %q: %w", r.columns[i].Name, err)
			}
		}
	}
	r.ready = r.buf
	return nil
}

// appendCopyValue is a value behind its length, which is -1 for NULL.
func appendCopyValue(types *pgtype.Map, buf []byte, oid uint32, value any) ([]byte, error) {
	at := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, 1<<32-1)
	encoded, err := types.Encode(oid, pgx.BinaryFormatCode, value, buf)
	if err != nil {
		var failed error
		if encoded, failed = encodeText(types, buf, oid, value); failed != nil {
			return nil, err
		}
	}
	if encoded == nil {
		return buf, nil
	}
	binary.BigEndian.PutUint32(encoded[at:], uint32(len(encoded)-at-4))
	return encoded, nil
}

// encodeText encodes a value by way of its text, such as a number that is given as a
// string. pgx's CopyFrom takes these too.
func encodeText(types *pgtype.Map, buf []byte, oid uint32, value any) ([]byte, error) {
	text, ok := value.(string)
	if !ok {
		encoded, err := types.Encode(oid, pgx.TextFormatCode, value, nil)
		if err != nil {
			return nil, err
		}
		text = string(encoded)
	}
	var list pgtype.Array[any]
	if t, ok := types.TypeForOID(oid); ok {
		if _, ok := t.Codec.(*pgtype.ArrayCodec); ok && types.Scan(oid, pgx.TextFormatCode, []byte(text), &list) == nil {
			return types.Encode(oid, pgx.BinaryFormatCode, list, buf) // with its dimensions
		}
	}
	var parsed any
	if err := types.Scan(oid, pgx.TextFormatCode, []byte(text), &parsed); err != nil {
		return nil, err
	}
	return types.Encode(oid, pgx.BinaryFormatCode, parsed, buf)
}
