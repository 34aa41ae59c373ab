package tenantdb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	migrationExt     = ".sql"
	maxMigrationName = 100 // bytes, without version and extension; the ledger's column is as wide
)

// parseMigrationName takes the name of a file apart, see [ParseMigrations].
func parseMigrationName(file string) (version int64, name string, err error) {
	stem, ok := strings.CutSuffix(file, migrationExt)
	if !ok {
		return 0, "", errors.New("the name does not end in .sql in lower case")
	}
	digits, name, ok := strings.Cut(stem, "_")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return 0, "", errors.New("the name is not of the form 0001_name.sql")
	}
	version, err = strconv.ParseInt(digits, 10, 64)
	if err != nil || version == 0 {
		return 0, "", errors.New("the version is not a number from 1 to 2⁶³-1")
	}
	if name == "" || len(name) > maxMigrationName {
		return 0, "", fmt.Errorf("%d characters between the version and .sql, not 1 to %d", len(name), maxMigrationName)
	}
	if strings.HasSuffix(name, ".up") || strings.HasSuffix(name, ".down") {
		return 0, "", errors.New("the name ends in .up.sql or .down.sql: migrations go up alone, drop the down files and the .up")
	}
	for i := range len(name) {
		if c := name[i]; c != '_' && c != '-' && !isDigit(c) && !isLetter(c) {
			return 0, "", errors.New("a character other than a-z, A-Z, 0-9, _ and - between the version and .sql")
		}
	}
	return version, name, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
