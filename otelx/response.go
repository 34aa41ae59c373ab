package otelx

import (
	"net/http"
	"strconv"
)

// class is 2xx, 4xx and so on. A handler that writes nothing has answered 200.
func class(status int) string {
	switch {
	case status == 0:
		return "2xx"
	case status < 100 || status > 599:
		return Other
	}
	return strconv.Itoa(status/100) + "xx"
}

// method is the method of a request, if it is one of the known: a client may send any.
func method(sent string) string {
	switch sent {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return sent
	}
	return "_OTHER" // as OpenTelemetry's conventions for HTTP have it
}
