package libra

import "time"

// Cache is what an answer says about being kept (RFC 9111).
type Cache struct {
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"last_modified,omitempty"`
	// FreshS is for how many seconds the answer may be used unasked: by
	// Cache-Control, Expires, or a tenth of its age when it was sent.
	FreshS  int64 `json:"fresh_s,omitempty"`
	NoStore bool  `json:"no_store,omitempty"`
	// NotModifiedBytes is the transfer size of the server's 304, 0 without one.
	NotModifiedBytes int64 `json:"not_modified_bytes,omitempty"`
}

// Validates says whether a cache can ask whether what it holds is current.
func (c *Cache) Validates() bool {
	return c != nil && !c.NoStore && (c.ETag != "" || c.LastModified != "")
}

// VisitGap is how long after the first a second visit is taken to come.
const VisitGap = time.Minute

// SecondVisit sums up what a browser transfers for the same page VisitGap
// later, with all it could keep. What is fresh costs nothing. What is stale and
// has a validator costs a request and the 304 that answers it, which counts as
// measured, or else as long as the first answer's headers: a 304 has no more.
// What may not be kept, or has neither, costs what it cost before.
func SecondVisit(assets []Asset) Totals {
	t := Totals{ByType: map[ResourceType]Size{}}
	for _, a := range assets {
		if a.Fetch != Fetched {
			continue
		}
		if c := a.Cache; c != nil && !c.NoStore {
			if c.FreshS > int64(VisitGap/time.Second) {
				continue
			}
			if c.Validates() && a.Error == "" && (a.Status == 200 || a.Status == 206) {
				a = Asset{Type: a.Type, HeaderBytes: a.HeaderBytes}
				if c.NotModifiedBytes > 0 {
					a.HeaderBytes = c.NotModifiedBytes
				}
			}
		}
		t.Size = t.plus(a)
		t.ByType[a.Type] = t.ByType[a.Type].plus(a)
	}
	return t
}
