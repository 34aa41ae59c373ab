package rediscache

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/tenantwall/tenantwall/resolve"
	"github.com/tenantwall/tenantwall/tenant"
)

const (
	valueFormat = '1'
	headLen     = 1 + 16 + 14
	maxBodyLen  = 4096
)

// state is what a value tells.
type state int

const (
	corrupt state = iota // it is not what this package writes
	bare                 // a version without a tenant
	whole
)

// encodeVersion is a version of fixed length, which compares as text does. Versions begin at
// 1; what is below 0 counts as 0.
func encodeVersion(version int64) string { return fmt.Sprintf("%016x", uint64(max(0, version))) }

// encodeBody is the part of a value that holds the tenant.
func encodeBody(t tenant.Tenant) (string, error) {
	body, err := json.Marshal(t)
	if err == nil && len(body) > maxBodyLen {
		err = fmt.Errorf("it takes %d bytes, more than %d", len(body), maxBodyLen)
	}
	return string(body), err
}

// decodeReply reads what getScript answers.
func decodeReply(reply any) (tenant.Tenant, time.Duration, state) {
	parts, _ := reply.([]any)
	if len(parts) != 2 {
		return tenant.Tenant{}, 0, corrupt
	}
	value, _ := parts[0].(string)
	text, _ := parts[1].(string)
	now, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return tenant.Tenant{}, 0, corrupt
	}
	return decodeValue(value, now)
}

// decodeValue reads a value at a time of the server, in ms. The age is at least what it is,
// by up to a millisecond. A value from the future (the server's clock was set back, or
// another server took its place) tells no age, and so is of no use.
func decodeValue(value string, now int64) (tenant.Tenant, time.Duration, state) {
	if len(value) < headLen || len(value) > headLen+maxBodyLen || value[0] != valueFormat {
		return tenant.Tenant{}, 0, corrupt
	}
	version, err := strconv.ParseUint(value[1:17], 16, 63)
	if err != nil {
		return tenant.Tenant{}, 0, corrupt
	}
	read, err := strconv.ParseUint(value[17:headLen], 10, 63)
	if err != nil {
		return tenant.Tenant{}, 0, corrupt
	}
	if len(value) == headLen {
		return tenant.Tenant{}, 0, bare
	}
	var t tenant.Tenant
	if err := json.Unmarshal([]byte(value[headLen:]), &t); err != nil {
		return tenant.Tenant{}, 0, corrupt
	}
	if uint64(t.Version) != version || t.ID.IsZero() || !isStatus(t.Status) {
		return tenant.Tenant{}, 0, corrupt
	}
	passed := now - int64(read)
	if passed < 0 || passed > resolve.MaxConnectedTTL.Milliseconds() {
		return tenant.Tenant{}, 0, bare
	}
	return t, time.Duration(passed+1) * time.Millisecond, whole
}

// isStatus reports whether a status may be taken over. What this version does not know the
// store may tell.
func isStatus(s tenant.Status) bool {
	switch s {
	case tenant.StatusActive, tenant.StatusSuspended, tenant.StatusDeleted:
		return true
	case tenant.StatusProvisioning:
	}
	return false
}
