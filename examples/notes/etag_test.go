package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIfMatchIsReadAsRFC9110HasIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines []string
		want  precondition
	}{
		"none":             {nil, nil},
		"any":              {[]string{"*"}, nil},
		"one":              {[]string{`"3"`}, precondition{3}},
		"several":          {[]string{`"3", "4"`}, precondition{3, 4}},
		"several lines":    {[]string{`"3"`, `"4"`}, precondition{3, 4}},
		"weak":             {[]string{`W/"3"`}, precondition{}},
		"without quotes":   {[]string{`3`}, precondition{}},
		"half a quote":     {[]string{`"3`}, precondition{}},
		"two quotes":       {[]string{`""3""`}, precondition{}},
		"a sign":           {[]string{`"+3"`}, precondition{}},
		"leading zero":     {[]string{`"03"`}, precondition{}},
		"too large":        {[]string{`"99999999999999999999"`}, precondition{}},
		"another's":        {[]string{`"abc", "3"`}, precondition{3}},
		"empty":            {[]string{``}, precondition{}},
		"a comma in a tag": {[]string{`"a,3"`}, precondition{}},
	} {
		header := headers()
		for _, line := range c.lines {
			header.Add("If-Match", line)
		}
		assert.Equal(t, c.want, ifMatch(header), name)
	}
}

func FuzzIfMatch(f *testing.F) {
	for _, line := range []string{`*`, `"1"`, `W/"1"`, `"1","2"`, `,`, `"`, ``} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, version := range ifMatch(headers("If-Match", line)) {
			if !assert.Contains(t, line, etag(version)) {
				return
			}
		}
	})
}
