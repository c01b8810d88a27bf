package markup

import (
	"encoding/base64"
	"strings"

	"libra/pkg/weburl"
)

// DataURI splits a data: URI (https://fetch.spec.whatwg.org/#data-urls). ok is
// false for other URLs.
func DataURI(raw string) (mediaType, body string, ok bool) {
	raw = strings.Trim(raw, space)
	if len(raw) < 5 || !strings.EqualFold(raw[:5], "data:") {
		return "", "", false
	}
	head, body, ok := strings.Cut(stripFragment(raw[5:]), ",")
	if !ok {
		return "", "", false
	}
	body = weburl.PercentDecode(body)
	head = strings.ToLower(strings.Trim(head, space))
	if bare, is := strings.CutSuffix(head, "base64"); is {
		if bare, is = strings.CutSuffix(strings.TrimRight(bare, " "), ";"); is {
			head = bare
			text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.Map(dropSpace, body), "="))
			if err != nil {
				return "", "", false
			}
			body = string(text)
		}
	}
	mediaType, _, _ = strings.Cut(head, ";")
	if mediaType = strings.TrimSpace(mediaType); mediaType == "" {
		mediaType = "text/plain"
	}
	return mediaType, body, true
}

func dropSpace(r rune) rune {
	if strings.ContainsRune(space, r) {
		return -1
	}
	return r
}

// data is DataURI for URIs within MaxDataURI.
func (w *walker) data(raw string) (mediaType, body string, ok bool) {
	if w.env.MaxDataURI > 0 && len(raw) > w.env.MaxDataURI {
		return "", "", false
	}
	return DataURI(raw)
}

// dataFrame records a frame that shows a data: URI.
func (w *walker) dataFrame(raw string, r Reference) bool {
	mediaType, body, ok := w.data(raw)
	if !ok || !IsDocument(mediaType) {
		return false
	}
	r.Inline, r.InlineType = body, mediaType
	return w.list(r)
}

// dataSheet records a style sheet that is a data: URI.
func (w *walker) dataSheet(raw string, s SheetSource) {
	if mediaType, body, ok := w.data(raw); ok && mediaType == "text/css" {
		s.Text, s.Base = body, w.inlineBase()
		w.doc.Sheets = append(w.doc.Sheets, s)
	}
}
