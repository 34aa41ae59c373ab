package accesstoken

import (
	"errors"
	"net/http"
	"strings"
)

// bearer is the token of a request's Authorization field (RFC 6750, 2.1), empty when there
// is no such field. A token in the query or in a form is not looked for: addresses and
// forms end up in logs (RFC 6750, 5.3).
//
// Two fields are two credentials. A field of another scheme, or of another form, is a
// credential that nobody here can read, and not the same as none.
func bearer(r *http.Request) (string, error) {
	fields := r.Header["Authorization"]
	switch len(fields) {
	case 0:
		return "", nil
	case 1:
	default:
		return "", errTwoCredentials
	}
	scheme, rest, _ := strings.Cut(fields[0], " ")
	if !strings.EqualFold(scheme, "Bearer") { // RFC 9110, 11.1
		return "", refuse(errNotBearer)
	}
	token := strings.Trim(rest, " ")
	if token == "" || strings.ContainsAny(token, " \t,") {
		return "", refuse(errNotBearer)
	}
	return token, nil
}

var errNotBearer = errors.New("an Authorization field that is not Bearer and one token")
