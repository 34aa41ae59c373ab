package isolationtest

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// layers is how often what was decoded is decoded again: a link in HTML in JSON has three.
const layers = 3

// readings are a text in lower case, and what it says when it is read as JSON, HTML, a URL or
// base64: a leak is one in whatever form it leaves.
func readings(text string) []string {
	seen := map[string]bool{text: true}
	all := []string{text}
	for from, layer := 0, 0; layer < layers; layer++ {
		end := len(all)
		for _, read := range all[from:end] {
			for _, other := range decoded(read) {
				if !seen[other] {
					seen[other] = true
					all = append(all, other)
				}
			}
		}
		from = end
	}
	for i, read := range all {
		all[i] = strings.ToLower(read)
	}
	return all
}

// decoded are the other ways to read a text.
func decoded(text string) []string {
	return append([]string{unescaped(text), html.UnescapeString(text), unpercented(text)}, unbased(text)...)
}

var (
	escapes  = regexp.MustCompile(`\\(?:u[0-9a-fA-F]{4}|[/"\\])`)
	percents = regexp.MustCompile(`(?:%[0-9a-fA-F]{2})+`)
	based    = regexp.MustCompile(`[A-Za-z0-9+/_-]{10,}`)
)

// unescaped is a text without the escapes of JSON strings (RFC 8259, 7).
func unescaped(text string) string {
	return escapes.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) == 2 {
			return found[1:]
		}
		code, err := strconv.ParseUint(found[2:], 16, 16)
		if err != nil {
			return found
		}
		return string(utf8.AppendRune(nil, rune(code)))
	})
}

// unpercented is a text without percent-encoding (RFC 3986, 2.1), wherever it is one.
func unpercented(text string) string {
	return percents.ReplaceAllStringFunc(text, func(found string) string {
		plain, err := url.PathUnescape(found)
		if err != nil {
			return found
		}
		return plain
	})
}

// unbased are the words of a text that are base64 (RFC 4648, 4 and 5), decoded.
func unbased(text string) (plain []string) {
	for _, word := range based.FindAllString(text, -1) {
		word = strings.NewReplacer("-", "+", "_", "/").Replace(word)
		if bytes, err := base64.RawStdEncoding.DecodeString(word); err == nil {
			plain = append(plain, string(bytes))
		}
	}
	return plain
}

// spellings are a mark in lower case, and an id's other forms: with and without its dashes,
// and as the bytes that it stands for.
func spellings(mark string) []string {
	mark = strings.ToLower(mark)
	bare := strings.ReplaceAll(mark, "-", "")
	bytes, err := hex.DecodeString(bare)
	if err != nil || len(bytes) != 16 {
		return []string{mark}
	}
	dashed := bare[:8] + "-" + bare[8:12] + "-" + bare[12:16] + "-" + bare[16:20] + "-" + bare[20:]
	return []string{bare, dashed, strings.ToLower(string(bytes))}
}
