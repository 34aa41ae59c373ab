package apikey_test

import (
	"testing"

	"github.com/tenantwall/tenantwall/internal/pgtest"
)

// exampled is a site for an example.
type exampled struct {
	site
	t testing.TB
}

// exampleSite is a database with a catalog, for an example.
func exampleSite() (_ exampled, done func()) {
	t, done := pgtest.Example()
	return exampled{setUp(t), t}, done
}
