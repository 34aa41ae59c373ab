package rediscache

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// checkClient finds out whether a client keeps to the time limits that it is given.
func checkClient(client redis.UniversalClient) error {
	var keeps bool
	switch c := client.(type) {
	case nil:
		return errors.New("the client is nil")
	case *redis.Client:
		keeps = c.Options().ContextTimeoutEnabled
	case *redis.ClusterClient:
		keeps = c.Options().ContextTimeoutEnabled
	case *redis.Ring:
		return errors.New("the client is a Ring, whose servers know nothing of each other: use one server, or Redis Cluster")
	default:
		return nil // somebody's own, who must know
	}
	if !keeps {
		return errors.New("the client does not keep to time limits: make it with ContextTimeoutEnabled: true")
	}
	return nil
}

// checkPrefix is the prefix, or the default one. It must not bring a hash tag of its own.
func checkPrefix(prefix string) (string, error) {
	prefix = cmp.Or(prefix, DefaultPrefix)
	if len(prefix) > maxPrefixLen {
		return "", fmt.Errorf("has %d characters, more than %d", len(prefix), maxPrefixLen)
	}
	for _, c := range []byte(prefix) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' && c != ':' {
			return "", fmt.Errorf("has a character %q: letters, digits and -_.: are possible", c)
		}
	}
	return prefix, nil
}
