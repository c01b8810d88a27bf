package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strings"
)

// writeJSON answers with v. Text of others stays as it is: nothing here is
// read as HTML.
func writeJSON(w http.ResponseWriter, code int, v any) {
	data := marshal(v)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	w.Write(data)
}

func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // our own documents, of plain data
	}
	return b.Bytes()
}

// writeTagged answers a GET with v, or with 304 where the client has it. The
// tag is weak, because the answer may be compressed on its way.
func writeTagged(w http.ResponseWriter, r *http.Request, v any) {
	data := marshal(v)
	writeBytes(w, r, data, tagOf(data))
}

func writeBytes(w http.ResponseWriter, r *http.Request, data []byte, tag string) {
	w.Header().Set("ETag", tag)
	if hasTag(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(data)
}

func tagOf(data []byte) string {
	sum := sha256.Sum256(data)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// hasTag reports whether an If-None-Match names a tag.
func hasTag(list, tag string) bool {
	if list == "" {
		return false
	}
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}
