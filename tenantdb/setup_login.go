package tenantdb

import (
	"cmp"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// MaxPasswordLen bounds the password of a login, in characters.
const MaxPasswordLen = 1000

// maxNameLen is the length to which PostgreSQL cuts names, in bytes.
const maxNameLen = 63

// login is a role that signs in.
type login struct {
	name     string
	password string // empty: as it is
}

// logins are the two roles with their defaults filled in.
func (r Roles) logins() (gateway, control login, err error) {
	gateway = login{cmp.Or(r.Gateway, DefaultGateway), r.GatewayPassword}
	control = login{cmp.Or(r.Control, DefaultControl), r.ControlPassword}
	if gateway.name == control.name {
		return gateway, control, fmt.Errorf("gateway and control are both %q: a tenant's session could become the control plane", gateway.name)
	}
	return gateway, control, errors.Join(gateway.check(), control.check())
}

func (l login) check() error {
	if err := checkRoleName(l.name); err != nil {
		return err
	}
	return checkPassword(l.name, l.password)
}

// checkRoleName refuses what PostgreSQL would cut, or takes for something else than a name.
func checkRoleName(name string) error {
	switch {
	case name == "":
		return errors.New("the name of a role is empty")
	case len(name) > maxNameLen:
		return fmt.Errorf("the role %.20q… has a name of %d bytes, and PostgreSQL cuts it at %d", name, len(name), maxNameLen)
	case !utf8.ValidString(name) || strings.ContainsRune(name, 0):
		return fmt.Errorf("the role %q: the name is not valid UTF-8 without zeros", name)
	case strings.HasPrefix(name, "pg_"), name == "public", name == "none":
		return fmt.Errorf("the role %q: the name is PostgreSQL's own", name)
	case isSchemaName(name):
		return fmt.Errorf("the role %q: the name is of the form that tenants' roles have", name)
	}
	return nil
}

// isSchemaName reports whether name is of the form of [SchemaName].
func isSchemaName(name string) bool {
	digits, ok := strings.CutPrefix(name, namePrefix)
	return ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdef") == ""
}

func checkPassword(role, password string) error {
	if len(password) > MaxPasswordLen {
		return fmt.Errorf("the password of %q has %d characters, and the most is %d", role, len(password), MaxPasswordLen)
	}
	for i := range len(password) {
		if password[i] < ' ' || password[i] > '~' {
			return fmt.Errorf("the password of %q has characters other than printable ASCII", role)
		}
	}
	return nil
}

// passwordSQL is the PASSWORD clause of CREATE ROLE and ALTER ROLE; empty without one. It
// holds the verifier of SCRAM-SHA-256 (RFC 5803) in the place of the password, because a
// server may log statements.
func passwordSQL(password string) string {
	if password == "" {
		return ""
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // it never fails
	return " PASSWORD " + quoteLiteral(scramVerifier(password, salt, scramIterations))
}

const scramIterations = 4096 // the server's own number

// scramVerifier is what PostgreSQL stores of a password. For printable ASCII the password's
// preparation (RFC 4013) changes nothing.
func scramVerifier(password string, salt []byte, iterations int) string {
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		panic(err) // only for parameters that FIPS 140 forbids
	}
	sum := func(label string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(label))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sum("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(sum("Server Key")))
}

// quote is a name as it stands in SQL.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// quoteLiteral is text as it stands in SQL, whatever standard_conforming_strings says.
func quoteLiteral(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		q = " E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}
