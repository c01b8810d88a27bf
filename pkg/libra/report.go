package libra

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// ResourceType is Lighthouse's classification of a request.
type ResourceType string

// The resource types, in the order reports list them.
const (
	Document   ResourceType = "document"
	Stylesheet ResourceType = "stylesheet"
	Script     ResourceType = "script"
	Image      ResourceType = "image"
	Media      ResourceType = "media"
	Font       ResourceType = "font"
	Other      ResourceType = "other"
)

// ResourceTypes lists every type in reporting order.
func ResourceTypes() []ResourceType {
	return []ResourceType{Document, Stylesheet, Script, Image, Media, Font, Other}
}

// Fetch says whether a browser that opens the page requests an asset.
type Fetch string

// Only Fetched assets count in totals.
const (
	Fetched     Fetch = "fetched"     // requested while the page loads
	Lazy        Fetch = "lazy"        // requested once scrolled near
	Conditional Fetch = "conditional" // requested under another viewport, state or support
	Unused      Fetch = "unused"      // named by the page, never requested
)

// Outcome says how far to trust a report.
type Outcome string

// Complete and Partial are of a page that answered with a status of 2xx. The
// reasons name every limit and failure that a partial report hit, and why the
// page is an error.
const (
	Complete Outcome = "complete" // everything found was inspected
	Partial  Outcome = "partial"  // something was cut short; the figures are a lower bound
	Error    Outcome = "error"    // the page itself was not had: no answer or an unreadable one, endless redirects, or a status other than 2xx
)

// UnmarshalText reads an outcome. Reports of earlier versions say "failed" of
// what is an error.
func (o *Outcome) UnmarshalText(text []byte) error {
	if *o = Outcome(text); *o == "failed" {
		*o = Error
	}
	return nil
}

// Asset is one request of a page, or one the page names and a browser leaves.
// Each redirect hop is an asset of its own.
type Asset struct {
	URL       string       `json:"url"`
	Type      ResourceType `json:"type"`
	Initiator string       `json:"initiator"` // URL of the document or stylesheet that names it; "" for the page
	// Status is the HTTP status, 0 when no answer came or none was asked for.
	Status int `json:"status"`
	// HeaderBytes is the response's status line and headers.
	HeaderBytes int64 `json:"header_bytes"`
	// EncodedBytes is the body as sent, before Content-Encoding is undone
	// (Resource Timing encodedBodySize, HAR response.bodySize).
	EncodedBytes int64 `json:"encoded_bytes"`
	// DecodedBytes is the body after Content-Encoding is undone
	// (Resource Timing decodedBodySize, HAR content.size).
	DecodedBytes int64 `json:"decoded_bytes"`
	// FramingBytes is what carries the body: chunk sizes under HTTP/1.1, frame
	// headers and padding under HTTP/2.
	FramingBytes int64  `json:"framing_bytes,omitempty"`
	Fetch        Fetch  `json:"fetch"`
	Reason       string `json:"reason"`          // why Fetch is what it is, for a person
	Error        string `json:"error,omitempty"` // why the request failed or was cut short
	ErrorCode    Code   `json:"error_code,omitempty"`
	// MediaType is the lower-case Content-Type without parameters, Protocol
	// "HTTP/1.1" or "HTTP/2.0"; "" without an answer.
	MediaType string `json:"media_type,omitempty"`
	Protocol  string `json:"protocol,omitempty"`
	// StartMS is when the request began, after Report.Started.
	StartMS float64  `json:"start_ms,omitempty"`
	Timings *Timings `json:"timings,omitempty"`
	Cache   *Cache   `json:"cache,omitempty"`
}

// Timings is where the time of a request went, in milliseconds, as in HAR: the
// wait for a connection, and its making where it was a new one; the wait for
// the end of the headers, and for the end of the body.
type Timings struct {
	Blocked float64 `json:"blocked,omitempty"`
	DNS     float64 `json:"dns,omitempty"`
	Connect float64 `json:"connect,omitempty"`
	TLS     float64 `json:"tls,omitempty"`
	Wait    float64 `json:"wait,omitempty"`
	Receive float64 `json:"receive,omitempty"`
}

// TransferBytes is header, encoded body and what carries it: what Chromium's
// loadingFinished.encodedDataLength counts, and what totals and budgets use.
func (a Asset) TransferBytes() int64 { return a.HeaderBytes + a.EncodedBytes + a.FramingBytes }

// OfPage says that the asset is the page itself, or a redirect on the way to it.
func (a Asset) OfPage() bool { return a.Type == Document && a.Initiator == "" }

// Broken says that a request which a browser makes failed, was cut short, or got an
// error (status 400 or above).
func (a Asset) Broken() bool {
	return a.Fetch == Fetched && (a.Error != "" || a.Status >= 400)
}

// Size sums requests.
type Size struct {
	Requests      int   `json:"requests"`
	HeaderBytes   int64 `json:"header_bytes"`
	EncodedBytes  int64 `json:"encoded_bytes"`
	DecodedBytes  int64 `json:"decoded_bytes"`
	TransferBytes int64 `json:"transfer_bytes"` // header, encoded body and framing
}

func (s Size) plus(a Asset) Size {
	return Size{
		Requests:      s.Requests + 1,
		HeaderBytes:   s.HeaderBytes + a.HeaderBytes,
		EncodedBytes:  s.EncodedBytes + a.EncodedBytes,
		DecodedBytes:  s.DecodedBytes + a.DecodedBytes,
		TransferBytes: s.TransferBytes + a.TransferBytes(),
	}
}

// Totals is what a browser fetches for a page, the page itself included.
type Totals struct {
	Size
	ByType map[ResourceType]Size `json:"by_type"`
}

// Sum adds up the fetched assets.
func Sum(assets []Asset) Totals {
	t := Totals{ByType: map[ResourceType]Size{}}
	for _, a := range assets {
		if a.Fetch != Fetched {
			continue
		}
		t.Size = t.plus(a)
		t.ByType[a.Type] = t.ByType[a.Type].plus(a)
	}
	return t
}

// Types lists the types present in t, in reporting order.
func (t Totals) Types() []ResourceType {
	order := ResourceTypes()
	return slices.SortedFunc(maps.Keys(t.ByType), func(a, b ResourceType) int {
		return slices.Index(order, a) - slices.Index(order, b)
	})
}

// MaxTitle bounds Report.Title, in bytes.
const MaxTitle = 256

// MaxListBytes bounds Report.Assets, in bytes of its JSON: some 5,000 requests fit.
const MaxListBytes = 4 << 20

// Report is the result of one inspection of one page. A page that is an error
// answered with Status, or with nothing.
type Report struct {
	URL        string    `json:"url"`             // as asked for
	FinalURL   string    `json:"final_url"`       // after redirects
	Title      string    `json:"title,omitempty"` // document.title of the final document, at most MaxTitle bytes of it
	Status     int       `json:"status"`          // of the final document; 0 when no answer came
	Started    time.Time `json:"started"`
	DurationMS int64     `json:"duration_ms"`
	Outcome    Outcome   `json:"outcome"`
	// ReasonList says why the report is not complete, and what else its reader
	// should know.
	ReasonList
	// RetryAfterS is for how long the server asked to wait, in seconds: the
	// Retry-After of a 429 or 503 of the final document.
	RetryAfterS int64 `json:"retry_after_s,omitempty"`
	// CertificateUntil is when the first certificate expires of the chain that
	// vouched for the final document; the zero time without TLS.
	CertificateUntil time.Time `json:"certificate_until,omitzero"`

	// ScriptsNotExecuted counts what a browser executes and an inspection does
	// not; nil in a report of a version that did not count, and of a page that
	// could not be fetched.
	ScriptsNotExecuted *Scripts `json:"scripts_not_executed,omitempty"`
	// MayFetchMore says that these scripts may request more than Assets lists:
	// Totals is a lower bound, see AtLeast.
	MayFetchMore bool `json:"may_fetch_more"`

	Totals Totals `json:"totals"`
	// Repeat is what a second visit transfers; see SecondVisit.
	Repeat *Totals `json:"repeat,omitempty"`
	// Assets holds the page first, then its requests in the order found.
	Assets []Asset `json:"assets"`
}

// BrokenAssets counts the assets that are broken, without the page itself: why that is
// an error is a reason of the report.
func (r Report) BrokenAssets() (n int) {
	for _, a := range r.Assets {
		if a.Broken() && !a.OfPage() {
			n++
		}
	}
	return n
}

// NoAnswer says that the report is of a page that sent nothing: there are no figures.
func (r Report) NoAnswer() bool { return r.Outcome == Error && r.Totals.TransferBytes == 0 }

// UnmarshalJSON reads a report. Earlier versions called it complete or partial
// where the page had answered with a status other than 2xx, and gave what its error
// page lacked as reasons.
//
// A type that embeds Report has this method too, and is not to be decoded: its
// other fields would stay empty.
func (r *Report) UnmarshalJSON(data []byte) error {
	type plain Report
	if err := json.Unmarshal(data, (*plain)(r)); err != nil {
		return err
	}
	if r.Outcome == Error || r.Outcome == "" || r.Status == 0 || r.Status/100 == 2 {
		return nil
	}
	r.Outcome, r.Repeat = Error, nil
	if r.Status >= 400 || len(r.Reasons) == 0 {
		r.ReasonList = ReasonList{}
		r.AddReason(StatusReason(r.Status))
	}
	return nil
}

// Sound says that the figures may be judged: the report is complete.
func (r Report) Sound() bool { return r.Outcome == Complete }

// ErrorPage says that the server answered with an error in the page's place.
func (r Report) ErrorPage() bool { return r.Status >= 400 }

// Body is the final document of the page: the last fetched document asset
// before any other type. ok is false where no document was asked for.
func (r Report) Body() (body Asset, ok bool) {
	for _, a := range r.Assets {
		if a.Type != Document || a.Initiator != "" {
			break
		}
		body, ok = a, true
	}
	return body, ok
}
