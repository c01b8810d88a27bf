package fetch

import (
	"errors"
	"mime"
	"net/http"
	"strings"
)

// contentType returns the media type of a response and its charset, both in lower
// case, as browsers read Content-Type: of several values the last that is one, with
// the charset of an earlier value of the same type if it has none; invalid
// parameters are ignored. Source: https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
func contentType(h http.Header) (mediaType, charset string) {
	var first string // for what is no media type at all
	for _, line := range h["Content-Type"] {
		for len(line) > 0 {
			var value string
			value, line = cutValue(line)
			essence, params, err := mime.ParseMediaType(value)
			if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
				// Chromium takes what stands before the first space.
				essence, _, _ = strings.Cut(value, ";")
				essence, _, _ = strings.Cut(strings.TrimSpace(essence), " ")
			}
			essence = strings.ToLower(essence)
			if !strings.Contains(essence, "/") || essence == "*/*" {
				if first == "" {
					first = essence
				}
				continue
			}
			said := params["charset"]
			if err != nil { // then there are no parameters, valid ones neither
				said = charsetOf(value)
			}
			if said = strings.ToLower(said); said != "" || essence != mediaType {
				charset = said
			}
			mediaType = essence
		}
	}
	if mediaType == "" {
		mediaType = first
	}
	return mediaType, charset
}

// charsetOf returns the first charset of a value that has invalid parameters.
func charsetOf(value string) string {
	_, rest, _ := strings.Cut(value, ";")
	for part := range strings.SplitSeq(rest, ";") {
		name, said, _ := strings.Cut(part, "=")
		if said = strings.Trim(strings.TrimSpace(said), `"`); said != "" && strings.EqualFold(strings.TrimSpace(name), "charset") {
			return said
		}
	}
	return ""
}

// cutValue cuts the first value off a list that commas separate outside quotes.
func cutValue(list string) (value, rest string) {
	quoted := false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ',' && !quoted:
			return list[:i], list[i+1:]
		}
	}
	return list, ""
}
