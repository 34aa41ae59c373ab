package tenantsql

import (
	"bytes"
	"database/sql/driver"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// resultFormats asks for the binary format where database/sql has a type of its own for the
// value. All else is text, which is what a string is scanned from.
var resultFormats = pgx.QueryResultFormatsByOID{
	pgtype.BoolOID:        pgx.BinaryFormatCode,
	pgtype.ByteaOID:       pgx.BinaryFormatCode,
	pgtype.CIDOID:         pgx.BinaryFormatCode,
	pgtype.DateOID:        pgx.BinaryFormatCode,
	pgtype.Float4OID:      pgx.BinaryFormatCode,
	pgtype.Float8OID:      pgx.BinaryFormatCode,
	pgtype.Int2OID:        pgx.BinaryFormatCode,
	pgtype.Int4OID:        pgx.BinaryFormatCode,
	pgtype.Int8OID:        pgx.BinaryFormatCode,
	pgtype.OIDOID:         pgx.BinaryFormatCode,
	pgtype.TimestampOID:   pgx.BinaryFormatCode,
	pgtype.TimestamptzOID: pgx.BinaryFormatCode,
	pgtype.XIDOID:         pgx.BinaryFormatCode,
}

// column is a column of a result.
type column struct {
	field pgconn.FieldDescription
	known *pgtype.Type // nil for a type that pgx was not told of
}

// value is src, which is not kept, as database/sql takes it. pgx's codecs know how.
func (c *column) value(types *pgtype.Map, src []byte) (driver.Value, error) {
	switch {
	case src == nil:
		return nil, nil
	case c.known != nil:
		return c.known.Codec.DecodeDatabaseSQLValue(types, c.field.DataTypeOID, c.field.Format, src)
	case c.field.Format == pgx.BinaryFormatCode:
		return bytes.Clone(src), nil
	}
	return string(src), nil
}

// typeName is the name in upper case, or the OID of a type that pgx was not told of.
func (c *column) typeName() string {
	if c.known != nil {
		return strings.ToUpper(c.known.Name)
	}
	return strconv.FormatUint(uint64(c.field.DataTypeOID), 10)
}

// typmodHeader is what PostgreSQL adds to the length or precision in a type modifier; a
// modifier of -1 says that there is none (pg_attribute.atttypmod).
const typmodHeader = 4

func (c *column) length() (length int64, ok bool) {
	modifier := int64(c.field.TypeModifier)
	switch c.field.DataTypeOID {
	case pgtype.TextOID, pgtype.ByteaOID:
		return math.MaxInt64, true
	case pgtype.VarcharOID, pgtype.BPCharOID:
		if modifier < 0 {
			return math.MaxInt64, true
		}
		return modifier - typmodHeader, true
	case pgtype.VarbitOID:
		if modifier < 0 {
			return math.MaxInt64, true
		}
		return modifier, true
	}
	return 0, false
}

// precisionScale takes a numeric's modifier apart: the precision in the upper half, the
// scale in the lower 11 bits, of which the highest is the sign.
func (c *column) precisionScale() (precision, scale int64, ok bool) {
	modifier := int64(c.field.TypeModifier) - typmodHeader
	if c.field.DataTypeOID != pgtype.NumericOID || modifier < 0 {
		return 0, 0, false
	}
	return modifier >> 16 & 0xffff, modifier&0x7ff ^ 0x400 - 0x400, true
}

func (c *column) scanType() reflect.Type {
	switch c.field.DataTypeOID {
	case pgtype.BoolOID:
		return reflect.TypeFor[bool]()
	case pgtype.Int2OID:
		return reflect.TypeFor[int16]()
	case pgtype.Int4OID:
		return reflect.TypeFor[int32]()
	case pgtype.Int8OID:
		return reflect.TypeFor[int64]()
	case pgtype.Float4OID:
		return reflect.TypeFor[float32]()
	case pgtype.Float8OID, pgtype.NumericOID:
		return reflect.TypeFor[float64]()
	case pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID:
		return reflect.TypeFor[time.Time]()
	case pgtype.ByteaOID:
		return reflect.TypeFor[[]byte]()
	}
	return reflect.TypeFor[string]()
}
