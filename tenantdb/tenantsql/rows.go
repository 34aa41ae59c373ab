package tenantsql

import (
	"database/sql/driver"
	"fmt"
	"io"
	"reflect"

	"github.com/jackc/pgx/v5"
)

// rows are a statement's result as database/sql reads it.
type rows struct {
	found   pgx.Rows
	columns []column
	ahead   bool // found is at the row that comes next
}

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rows)(nil)
	_ driver.RowsColumnTypeLength           = (*rows)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rows)(nil)
	_ driver.RowsColumnTypeScanType         = (*rows)(nil)
)

// newRows reads the first row, so that a statement that fails as it is executed fails the
// call, and not an iteration whose end few look at.
func newRows(found pgx.Rows) (*rows, error) {
	// Taken down before that: the connection goes back with the last row, and these
	// descriptions are the connection's.
	fields, types := found.FieldDescriptions(), found.TypeMap()
	r := &rows{found: found, columns: make([]column, len(fields))}
	for i, field := range fields {
		known, _ := types.TypeForOID(field.DataTypeOID)
		r.columns[i] = column{field: field, known: known}
	}
	r.ahead = found.Next()
	if err := found.Err(); !r.ahead && err != nil {
		return nil, err
	}
	return r, nil
}

func (r *rows) Columns() []string {
	names := make([]string, len(r.columns))
	for i := range r.columns {
		names[i] = r.columns[i].field.Name
	}
	return names
}

// Next puts copies into dest: a slice of the connection's own buffer would show the rows of
// its next user, who is another tenant, to whoever keeps a [sql.RawBytes] for too long.
func (r *rows) Next(dest []driver.Value) error {
	if !r.ahead && !r.found.Next() {
		if err := r.found.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	r.ahead = false
	types := r.found.TypeMap()
	for i, src := range r.found.RawValues() {
		var err error
		if dest[i], err = r.columns[i].value(types, src); err != nil {
			return fmt.Errorf("tenantsql: column %q: %w", r.columns[i].field.Name, err)
		}
	}
	return nil
}

func (r *rows) Close() error {
	r.found.Close()
	return r.found.Err()
}

func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.columns[i].typeName() }

func (r *rows) ColumnTypeLength(i int) (length int64, ok bool) { return r.columns[i].length() }

func (r *rows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return r.columns[i].precisionScale()
}

func (r *rows) ColumnTypeScanType(i int) reflect.Type { return r.columns[i].scanType() }
