package inspect

import (
	"encoding/json"
	"fmt"
	"strings"

	"libra/pkg/libra"
)

const (
	// shortURL is how much a report has of a URL that is too long to be requested, in
	// bytes.
	shortURL = 200
	// maxText bounds every other text of a report, in bytes.
	maxText = 2000
)

// bound bounds a report in bytes: the bus carries it in one message, and others read it
// into their memory. Call it last: figures and outcome are of everything that was found.
func bound(r *libra.Report) {
	for i := range r.Assets {
		boundTexts(&r.Assets[i])
	}
	for i := range r.Reasons {
		r.Reasons[i] = cut(r.Reasons[i], maxText)
	}
	for i, d := range r.Details {
		r.Details[i].Text, r.Details[i].Remedy = cut(d.Text, maxText), cut(d.Remedy, maxText)
	}
	found := len(r.Assets)
	r.Assets = fitting(r.Assets, libra.MaxListBytes)
	if left := found - len(r.Assets); left > 0 && r.Outcome != libra.Error {
		r.Outcome = libra.Partial
		r.AddReason(libra.Because(libra.CodeLimit, fmt.Sprintf("%d of %d URLs were left out of the list, which is cut at %s: limit list_bytes", left, found, libra.FormatBytes(libra.MaxListBytes))))
	}
}

// boundTexts bounds what a server or a page has written into an asset.
func boundTexts(a *libra.Asset) {
	if len(a.URL) > libra.MaxURLBytes {
		a.URL = cut(a.URL, shortURL)
		a.Reason = cut(a.Reason, maxText/2) + fmt.Sprintf("; the URL has more than %d bytes and is shortened", libra.MaxURLBytes)
	}
	if len(a.Initiator) > libra.MaxURLBytes {
		a.Initiator = cut(a.Initiator, shortURL)
	}
	a.Reason, a.Error, a.MediaType = cut(a.Reason, maxText), cut(a.Error, maxText), cut(a.MediaType, shortURL)
}

// fitting returns the assets whose JSON fits into so many bytes, in their order. What a
// browser requests goes before what the page only names.
func fitting(assets []libra.Asset, most int) []libra.Asset {
	longest := 0
	for i := range assets {
		longest += longestJSON(&assets[i])
	}
	if longest <= most {
		return assets
	}
	room, fits := most, make([]bool, len(assets))
	for _, fetched := range []bool{true, false} {
		for i := range assets {
			if room > 0 && (assets[i].Fetch == libra.Fetched) == fetched {
				data, err := json.Marshal(&assets[i])
				room -= len(data) + len(",")
				fits[i] = err == nil && room >= 0
			}
		}
	}
	kept := []libra.Asset{}
	for i, a := range assets {
		if fits[i] {
			kept = append(kept, a)
		}
	}
	return kept
}

// longestJSON is how long the JSON of an asset may be: every byte of a text may become
// six, and names and numbers take less than 700.
func longestJSON(a *libra.Asset) int {
	texts := len(a.URL) + len(a.Initiator) + len(a.Reason) + len(a.Error) + len(a.MediaType)
	if a.Cache != nil {
		texts += len(a.Cache.ETag) + len(a.Cache.LastModified)
	}
	return 700 + 6*texts
}

// cut shortens a text to at most so many bytes.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
