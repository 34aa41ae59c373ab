package tenantdb

import (
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tenantwall/tenantwall/tenant"
)

func TestADescriptionIsBelievedForSoLong(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newStatements()
	s.now = func() time.Time { return now }
	key := statementKey{tenant: tenant.NewID(), sql: `SELECT 1`}
	assert.Nil(t, s.get(key))
	st := newStatement(key, &pgconn.StatementDescription{}, s.now())
	s.put(st)
	now = now.Add(maxStatementAge)
	assert.Same(t, st, s.get(key))
	now = now.Add(1)
	assert.Nil(t, s.get(key))
	s.put(newStatement(key, &pgconn.StatementDescription{}, s.now()))
	assert.NotNil(t, s.get(key), "described again")
	s.forget(key)
	assert.Nil(t, s.get(key))
}

func TestAProcessKnowsABoundedNumberOfStatements(t *testing.T) {
	t.Parallel()
	s := newStatements()
	id := tenant.NewID()
	put := func(n int) statementKey {
		key := statementKey{tenant: id, sql: strconv.Itoa(n)}
		s.put(&statement{key: key, since: s.now()})
		return key
	}
	first, second := put(0), put(1)
	for n := range maxStatements - 2 {
		put(n + 2)
	}
	assert.Equal(t, maxStatements, s.known.Len())
	require.NotNil(t, s.get(first), "used, so the other one goes first")
	put(maxStatements)
	assert.Equal(t, maxStatements, s.known.Len())
	assert.NotNil(t, s.get(first))
	assert.Nil(t, s.get(second))
}

func TestStatementNamesAreOfTheTenantAndTheSQL(t *testing.T) {
	t.Parallel()
	a, b := tenant.NewID(), tenant.NewID()
	names := map[string]bool{}
	for _, key := range []statementKey{{a, `SELECT 1`}, {b, `SELECT 1`}, {a, `SELECT 2`}, {b, `SELECT 2`}, {a, ``}, {b, ``}} {
		name := statementName(key)
		assert.Equal(t, name, statementName(key), "always the same")
		assert.Less(t, len(name), 64, "PostgreSQL cuts names")
		assert.False(t, names[name], "%v has a name of its own", key)
		names[name] = true
	}
}

func TestSameColumns(t *testing.T) {
	t.Parallel()
	describe := func(fields ...pgconn.FieldDescription) *pgconn.StatementDescription {
		return &pgconn.StatementDescription{Fields: fields}
	}
	id := pgconn.FieldDescription{Name: "id", DataTypeOID: pgtype.Int8OID, TableOID: 7}
	body := pgconn.FieldDescription{Name: "body", DataTypeOID: pgtype.TextOID, TableOID: 7}
	st := newStatement(statementKey{}, describe(id, body), time.Now())
	assert.True(t, st.sameColumns(describe(id, body)))
	for name, other := range map[string]*pgconn.StatementDescription{
		"none":          describe(),
		"one less":      describe(id),
		"one more":      describe(id, body, body),
		"another order": describe(body, id),
		"another name":  describe(id, pgconn.FieldDescription{Name: "text", DataTypeOID: pgtype.TextOID, TableOID: 7}),
		"another type":  describe(id, pgconn.FieldDescription{Name: "body", DataTypeOID: pgtype.VarcharOID, TableOID: 7}),
		"another table": describe(id, pgconn.FieldDescription{Name: "body", DataTypeOID: pgtype.TextOID, TableOID: 8}),
	} {
		assert.False(t, st.sameColumns(other), name)
	}
}
