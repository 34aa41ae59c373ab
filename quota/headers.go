package quota

import (
	"net/http"
	"strconv"
	"time"
)

// The names of the header fields that [Decision.WriteHeaders] adds, see
// draft-ietf-httpapi-ratelimit-headers-11.
const (
	HeaderRateLimit       = "RateLimit"
	HeaderRateLimitPolicy = "RateLimit-Policy"
)

// maxInteger is the largest integer of a structured field (RFC 9651, 3.3.1).
const maxInteger = 999_999_999_999_999

// WriteHeaders tells the client of the limits that were asked, in two lists of structured
// fields with an item each:
//
//	RateLimit-Policy: "burst";q=100;w=60
//	RateLimit: "burst";r=42;t=13
//
// q is [LimitState.Limit] and w [LimitState.Per] in seconds: of a rate how much there is at
// most, and how long it takes to be full again. The policy of a concurrency has no window
// but qu="concurrent-requests". r is what remains, and t in how many seconds all of it is
// back. Seconds are rounded up.
//
// Left out are limits that are [Unlimited], those that only watch, and of RateLimit those
// whose state nobody knows while the backend is away. What h has of these fields from other
// limits stays. Retry-After is written with the error, see [Decision.Err].
func (d Decision) WriteHeaders(h http.Header) {
	var policy, state []byte
	for i := range d.Limits {
		s := &d.Limits[i]
		// What is no name could end the field and begin another. No valid plan has one.
		if s.Limit == Unlimited || s.Shadow || CheckName(s.Name) != nil {
			continue
		}
		policy = s.appendPolicy(policy)
		if s.Source != SourceOpen && s.Source != SourceClosed {
			state = s.appendState(state)
		}
	}
	if policy != nil {
		h.Add(HeaderRateLimitPolicy, string(policy))
	}
	if state != nil {
		h.Add(HeaderRateLimit, string(state))
	}
}

func (s *LimitState) appendPolicy(b []byte) []byte {
	b = appendItem(b, s.Name)
	b = appendParameter(b, "q", s.Limit)
	if s.Kind == KindConcurrency {
		return append(b, `;qu="concurrent-requests"`...)
	}
	return appendParameter(b, "w", max(seconds(s.Per), 1))
}

func (s *LimitState) appendState(b []byte) []byte {
	b = appendItem(b, s.Name)
	b = appendParameter(b, "r", s.Remaining)
	if s.Kind == KindConcurrency { // when a slot is given back, nobody knows
		return b
	}
	return appendParameter(b, "t", seconds(s.ResetAfter))
}

// appendItem begins the next item of a list. The name needs no escapes.
func appendItem(b []byte, name string) []byte {
	if len(b) > 0 {
		b = append(b, ", "...)
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"')
}

func appendParameter(b []byte, key string, n int64) []byte {
	b = append(b, ';')
	b = append(b, key...)
	b = append(b, '=')
	return strconv.AppendInt(b, min(max(n, 0), maxInteger), 10)
}

// seconds rounds up.
func seconds(d time.Duration) int64 {
	if d%time.Second > 0 {
		return int64(d/time.Second) + 1
	}
	return int64(d / time.Second)
}
