package dnsname

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"
)

// lookupTimeout bounds how long a domain's servers are asked.
const lookupTimeout = 5 * time.Second

// Resolver looks TXT records up, as [net.Resolver] does.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// HasTXT reports whether the name has a TXT record of that value. An error says that its
// servers could not tell.
func HasTXT(ctx context.Context, r Resolver, name, value string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	records, err := r.LookupTXT(ctx, name+".")
	if e, ok := errors.AsType[*net.DNSError](err); ok && e.IsNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, record := range records {
		if strings.TrimSpace(record) == value {
			return true, nil
		}
	}
	return false, nil
}
