//go:build !notes_lean

package temporalserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/resolver"
	schema "go.temporal.io/server/schema/sqlite"

	"github.com/tenantwall/tenantwall/internal/localserver"
)

// fileName is the database in a server's folder.
const fileName = "temporal.db"

// membersExpire is longer than any of them counts.
const membersExpire = 10 * 365 * 24 * time.Hour

// openStore makes the database, if it is not there, and the namespace in it.
func openStore(ctx context.Context, cfg Config, name string) (*config.SQL, error) {
	store := &config.SQL{
		PluginName:        sqlite.PluginName,
		DatabaseName:      name,
		ConnectAttributes: map[string]string{"mode": "memory", "cache": "shared"},
	}
	if cfg.Dir != "" {
		path, err := makeFile(cfg.Dir)
		if err != nil {
			return nil, err
		}
		store.DatabaseName = uriPath(path)
		// The write-ahead log needs a tenth of the syncs. The lock is kept, so that a second
		// server on the same file fails where it starts.
		store.ConnectAttributes = map[string]string{
			"mode": "rw", "journal_mode": "wal", "synchronous": "normal", "locking_mode": "exclusive",
		}
	}
	namespace, err := schema.NewNamespaceConfig(clusterName, cfg.Namespace, false,
		map[string]enums.IndexedValueType{TenantID: enums.INDEXED_VALUE_TYPE_KEYWORD})
	if err != nil {
		return nil, err
	}
	if err := schema.CreateNamespaces(store, namespace); err != nil {
		return nil, orInUse(cfg.Dir, err)
	}
	return store, forgetMembers(ctx, store)
}

// orInUse is err, or ErrInUse in place of one which says that another process keeps the
// lock on the database.
func orInUse(dir string, err error) error {
	const busy = 5 // SQLITE_BUSY
	if e, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok && e.Code() == busy {
		return fmt.Errorf("%s: %w", dir, localserver.ErrInUse)
	}
	return err
}

// forgetMembers removes what an earlier run wrote of its own services: they are not where
// they were, and the new ones would wait for them.
func forgetMembers(ctx context.Context, store *config.SQL) error {
	db, err := sql.NewSQLDB(sqlplugin.DbKindMain, store, resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // it only gives back what the server shares
	_, err = db.PruneClusterMembership(ctx, &sqlplugin.PruneClusterMembershipFilter{PruneRecordsBefore: time.Now().Add(membersExpire)})
	return err
}

// makeFile makes a folder's database, if it is not there, and returns its path. It is
// there with all its tables or not at all.
func makeFile(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(dir, fileName))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	half, err := os.CreateTemp(dir, fileName+".*.half")
	if err != nil {
		return "", err
	}
	if err := half.Close(); err != nil {
		return "", err
	}
	err = schema.SetupSchema(&config.SQL{
		PluginName:        sqlite.PluginName,
		DatabaseName:      uriPath(half.Name()),
		ConnectAttributes: map[string]string{"mode": "rw", "synchronous": "off"}, // half a file is thrown away
	})
	if err == nil {
		err = os.Rename(half.Name(), path)
	}
	if err != nil {
		return "", errors.Join(fmt.Errorf("make %s: %w", path, err), os.Remove(half.Name()))
	}
	return path, nil
}

// uriPath writes a path as the server's driver wants it, which makes a URI of it.
func uriPath(path string) string { return (&url.URL{Path: path}).EscapedPath() }
