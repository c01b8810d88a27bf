package api

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"

	"libra/pkg/web/state"
)

// PagesPath is what the address of a page's document begins with.
const PagesPath = "/api/pages/"

// Header values that many answers share; nobody changes them.
var (
	jsonValue    = []string{"application/json"}
	noCacheValue = []string{"no-cache"}
	gzipValue    = []string{"gzip"}
)

// ServeKept answers GET /api/pages/{id} with a document that was made before, as GetPage
// and the compressor in front of it do. It returns false, and does nothing, where no
// document was made, or where the request is not so plain.
func (s *API) ServeKept(w http.ResponseWriter, r *http.Request) (code int, ok bool) {
	id, found := strings.CutPrefix(r.URL.Path, PagesPath)
	if !found || r.Method != http.MethodGet || r.URL.RawPath != "" || !state.IsPageID(id) {
		return 0, false
	}
	zip, plain := acceptsGzip(r.Header)
	if !plain {
		return 0, false
	}
	doc, _, ok := s.state.Document(id)
	if !ok || zip && doc.Zip == nil && len(doc.Body) >= MinZipped {
		return 0, false
	}
	h := w.Header()
	h["Cache-Control"] = noCacheValue
	h["Etag"] = []string{doc.Tag}
	if inm := r.Header["If-None-Match"]; len(inm) > 0 && hasTag(inm[0], doc.Tag) {
		w.WriteHeader(http.StatusNotModified)
		return http.StatusNotModified, true
	}
	body := doc.Body
	if zip && doc.Zip != nil {
		body = doc.Zip
		h["Content-Encoding"] = gzipValue
	}
	h["Content-Type"] = jsonValue
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.Write(body)
	return http.StatusOK, true
}

// acceptsGzip reports whether a client takes gzip. plain is false where its list has
// weights, which others read.
func acceptsGzip(h http.Header) (yes, plain bool) {
	list := h["Accept-Encoding"]
	if len(list) == 0 {
		return false, true
	}
	if len(list) > 1 || strings.Contains(list[0], ";") {
		return false, false
	}
	for one := range strings.SplitSeq(list[0], ",") {
		yes = yes || strings.TrimSpace(one) == "gzip"
	}
	return yes, true
}

// MinZipped is from how many bytes on an answer is compressed.
const MinZipped = 1024

// zipped is data compressed with gzip; nil for what is too short.
func zipped(data []byte) []byte {
	if len(data) < MinZipped {
		return nil
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return bytes.Clone(b.Bytes())
}
