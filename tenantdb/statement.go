package tenantdb

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/tenantwall/tenantwall/internal/lru"
	"github.com/tenantwall/tenantwall/tenant"
)

const (
	// maxStatements bounds what a process knows of statements, over all tenants.
	maxStatements = 1 << 16

	// maxStatementAge is how long a description is believed on new connections. A type
	// that a migration changed can be cast on its way in without an error, so what another
	// process altered must become known without one.
	maxStatementAge = 10 * time.Minute
)

// statementKey names a statement. The same SQL is another statement in another tenant's
// schema: its tables are others, and mid-way through a rollout their columns too.
type statementKey struct {
	tenant tenant.ID
	sql    string
}

// statement is what is known of a statement since it was described. It is not changed.
type statement struct {
	pgconn.StatementDescription
	key   statementKey
	since time.Time
}

func newStatement(key statementKey, sd *pgconn.StatementDescription, now time.Time) *statement {
	s := &statement{StatementDescription: *sd, key: key, since: now}
	s.Name, s.SQL = statementName(key), key.sql
	return s
}

// sameColumns reports whether the statement returns what sd says.
func (s *statement) sameColumns(sd *pgconn.StatementDescription) bool {
	return slices.EqualFunc(s.Fields, sd.Fields, func(a, b pgconn.FieldDescription) bool {
		return a.Name == b.Name && a.DataTypeOID == b.DataTypeOID && a.TableOID == b.TableOID
	})
}

// statementName derives from the tenant and the SQL alone. Should a pooler hand a
// connection on with the statements of another client, then the name either stands for the
// very same statement or is not there; a counter's would stand for something else.
func statementName(key statementKey) string {
	h := sha256.New()
	h.Write(key.tenant[:])
	h.Write([]byte(key.sql))
	var sum [sha256.Size]byte
	return "tenantwall_" + hex.EncodeToString(h.Sum(sum[:0])[:16])
}

// statements is what a process knows, shared by its connections: one of them pays for the
// description. It is safe for concurrent use.
type statements struct {
	now func() time.Time

	mu    sync.Mutex
	known *lru.Cache[statementKey, *statement]
}

func newStatements() *statements {
	return &statements{now: time.Now, known: lru.New[statementKey, *statement](maxStatements)}
}

func (s *statements) get(key statementKey) *statement {
	s.mu.Lock()
	defer s.mu.Unlock()
	st, ok := s.known.Get(key)
	if !ok || s.now().Sub(st.since) > maxStatementAge {
		return nil
	}
	return st
}

func (s *statements) put(st *statement) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Put(st.key, st)
}

func (s *statements) forget(key statementKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Delete(key)
}
