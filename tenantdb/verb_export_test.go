package tenantdb

// IsPlain and IsControl are what the first word of a statement tells.
func IsPlain(sql string) bool   { return verbOf(sql) == plain }
func IsControl(sql string) bool { return verbOf(sql) == control }
