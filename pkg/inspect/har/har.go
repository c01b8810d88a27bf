// Package har writes reports as HTTP Archive 1.2, for HAR viewers and for
// tools that read nothing else
// (http://www.softwareishard.com/blog/har-12-spec/).
//
// A HAR file is a list of requests, so it has the assets that were fetched; what
// the page only names is in the report alone. Unknown values are written as the
// format requires: -1 for sizes and times, empty lists
// for headers and cookies, "unknown" and "x-unknown", as Chromium writes them, for
// the protocol and the media type. Times that must not be -1 in
// the format are 0.
//
// Libra's own fields start with an underscore, as the format requires;
// _resourceType, _transferSize, _initiator and _error are named as Chromium
// names them.
package har

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"time"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// HAR is the file.
type HAR struct {
	Log Log `json:"log"`
}

// Log is one inspection.
type Log struct {
	Version string  `json:"version"` // "1.2"
	Creator Creator `json:"creator"`
	Pages   []Page  `json:"pages"`
	Entries []Entry `json:"entries"`
	Comment string  `json:"comment,omitempty"`
}

// Creator is the program that wrote the file.
type Creator struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Page is the page that was inspected.
type Page struct {
	Started time.Time   `json:"startedDateTime"`
	ID      string      `json:"id"`
	Title   string      `json:"title"`
	Timings PageTimings `json:"pageTimings"`
}

// PageTimings are -1: nothing was rendered.
type PageTimings struct {
	OnContentLoad int `json:"onContentLoad"`
	OnLoad        int `json:"onLoad"`
}

// Entry is one request.
type Entry struct {
	Pageref   string    `json:"pageref"`
	Started   time.Time `json:"startedDateTime"`
	Time      float64   `json:"time"` // ms; the sum of Timings
	Request   Request   `json:"request"`
	Response  Response  `json:"response"`
	Cache     struct{}  `json:"cache"`
	Timings   Timings   `json:"timings"`
	Type      string    `json:"_resourceType"`
	Initiator string    `json:"_initiator,omitempty"`
}

// Request as sent.
type Request struct {
	Method      string `json:"method"`
	URL         string `json:"url"`
	HTTPVersion string `json:"httpVersion"`
	Cookies     []Pair `json:"cookies"`
	Headers     []Pair `json:"headers"`
	QueryString []Pair `json:"queryString"`
	HeadersSize int64  `json:"headersSize"`
	BodySize    int64  `json:"bodySize"`
}

// Pair is a name and its value.
type Pair struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Response as received. Status is 0 without one.
type Response struct {
	Status       int     `json:"status"`
	StatusText   string  `json:"statusText"`
	HTTPVersion  string  `json:"httpVersion"`
	Cookies      []Pair  `json:"cookies"`
	Headers      []Pair  `json:"headers"`
	Content      Content `json:"content"`
	RedirectURL  string  `json:"redirectURL"`
	HeadersSize  int64   `json:"headersSize"`
	BodySize     int64   `json:"bodySize"`
	TransferSize int64   `json:"_transferSize"`
	Error        string  `json:"_error,omitempty"`
}

// Content is the decoded body.
type Content struct {
	Size        int64  `json:"size"`
	Compression int64  `json:"compression,omitempty"` // bytes saved
	MimeType    string `json:"mimeType"`
}

// Timings in ms; the first three may be -1.
type Timings struct {
	Blocked float64 `json:"blocked"`
	DNS     float64 `json:"dns"`
	Connect float64 `json:"connect"`
	Send    float64 `json:"send"`
	Wait    float64 `json:"wait"`
	Receive float64 `json:"receive"`
	SSL     float64 `json:"ssl"`
}

const pageID = "page_1"

// From converts a report. version is Libra's.
func From(r libra.Report, version string) HAR {
	log := Log{
		Version: "1.2",
		Creator: Creator{Name: "Libra", Version: version},
		Pages:   []Page{{Started: r.Started.UTC(), ID: pageID, Title: cmp.Or(r.Title, r.URL), Timings: PageTimings{-1, -1}}},
		Entries: []Entry{},
	}
	if r.Outcome != libra.Complete {
		log.Comment = string(r.Outcome) + " report"
		for i, reason := range r.Reasons {
			sep := "; "
			if i == 0 {
				sep = ": "
			}
			log.Comment += sep + reason
		}
	}
	if r.AtLeast() {
		if log.Comment != "" {
			log.Comment += "; "
		}
		log.Comment += "a browser requests at least these entries: " + r.ScriptsText()
	}
	var fetched []libra.Asset
	for _, a := range r.Assets {
		if a.Fetch == libra.Fetched {
			fetched = append(fetched, a)
		}
	}
	for i, a := range fetched {
		e := entry(a, r.Started.UTC())
		if i+1 < len(fetched) {
			e.Response.RedirectURL = redirect(a, fetched[i+1])
		}
		log.Entries = append(log.Entries, e)
	}
	return HAR{Log: log}
}

// redirect is the next hop after a: hops follow each other in a report.
func redirect(a, next libra.Asset) string {
	switch a.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if a.Error == "" && a.Initiator == next.Initiator && a.Type == next.Type {
			return next.URL
		}
	}
	return ""
}

func entry(a libra.Asset, started time.Time) Entry {
	e := Entry{
		Pageref: pageID, Started: started, Type: string(a.Type), Initiator: a.Initiator,
		Timings: Timings{Blocked: -1, DNS: -1, Connect: -1, SSL: -1},
		Request: Request{
			Method: http.MethodGet, URL: a.URL, HTTPVersion: "unknown",
			Cookies: []Pair{}, Headers: []Pair{}, QueryString: query(a.URL), HeadersSize: -1,
		},
		Response: Response{
			Status: a.Status, StatusText: http.StatusText(a.Status), HTTPVersion: "unknown",
			Cookies: []Pair{}, Headers: []Pair{}, Error: a.Error,
			Content:     Content{Size: a.DecodedBytes, MimeType: "x-unknown"},
			HeadersSize: a.HeaderBytes, BodySize: a.EncodedBytes, TransferSize: a.TransferBytes(),
		},
	}
	if a.Protocol != "" {
		e.Request.HTTPVersion, e.Response.HTTPVersion = a.Protocol, a.Protocol
	}
	if a.MediaType != "" {
		e.Response.Content.MimeType = a.MediaType
	}
	e.Started = started.Add(time.Duration(a.StartMS * float64(time.Millisecond)))
	if t := a.Timings; t != nil {
		e.time(*t)
	}
	if saved := a.DecodedBytes - a.EncodedBytes; saved > 0 {
		e.Response.Content.Compression = saved
	}
	if a.Status == 0 {
		e.Response.HeadersSize, e.Response.BodySize = -1, -1
	}
	return e
}

// time converts the timings of a request. In HAR a phase that did not take place
// is -1, and connect includes ssl.
func (e *Entry) time(t libra.Timings) {
	e.Timings = Timings{Blocked: t.Blocked, DNS: -1, Connect: -1, SSL: -1, Wait: t.Wait, Receive: t.Receive}
	if t.DNS > 0 {
		e.Timings.DNS = t.DNS
	}
	if t.Connect > 0 || t.TLS > 0 {
		e.Timings.Connect = t.Connect + t.TLS
	}
	if t.TLS > 0 {
		e.Timings.SSL = t.TLS
	}
	e.Time = t.Blocked + t.DNS + t.Connect + t.TLS + t.Wait + t.Receive
}

// query lists the parameters of a URL, by name.
func query(raw string) []Pair {
	pairs := []Pair{}
	u, err := weburl.Parse(raw)
	if err != nil {
		return pairs
	}
	form, _ := url.ParseQuery(u.Query()) // the pairs that are valid
	for name, values := range form {
		for _, v := range values {
			pairs = append(pairs, Pair{name, v})
		}
	}
	sort.SliceStable(pairs, func(i, j int) bool { return pairs[i].Name < pairs[j].Name })
	return pairs
}

// Write writes the file of a report, indented.
func Write(w io.Writer, r libra.Report, version string) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(From(r, version)); err != nil {
		return fmt.Errorf("write HAR: %w", err)
	}
	return nil
}
