package fetch

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/netip"
	"time"

	"libra/pkg/libra"
)

// Config of a [Client]. The zero value fetches the public web.
type Config struct {
	// Allow lists the address prefixes that may be reached although they are
	// not public. Default none.
	Allow []netip.Prefix
	// UserAgent is sent with every request. Default [DefaultUserAgent].
	UserAgent string
	// AcceptLanguage is sent with every request. Default "en-US,en;q=0.9".
	AcceptLanguage string
	// Limits bounds every request. The zero value is [Limits]' defaults.
	Limits Limits
	// TLS is the base of TLS configurations, for private roots. Default the
	// system's roots.
	TLS *tls.Config
}

// Request is one thing to get.
type Request struct {
	// URL is absolute, http or https; a fragment is dropped.
	URL string
	// Type decides what a browser would send along, and whether the body is
	// held. Default libra.Other.
	Type libra.ResourceType
	// Referrer is the URL of the document or stylesheet that names URL; "" for
	// the page itself. It is sent by strict-origin-when-cross-origin.
	Referrer string
	// Range is a Range header such as "bytes=0-", which media gets by default.
	Range string
	// ETag and LastModified make the request conditional: a 304 is an answer.
	ETag, LastModified string
}

// Hop is one request and its response: a redirect or, as the last, the answer.
type Hop struct {
	URL string
	// Status is 0 when no answer came.
	Status int
	// HeaderBytes is the status line, the header lines and the blank line as
	// sent under HTTP/1.1; under HTTP/2 the header frames, still compressed.
	HeaderBytes int64
	// EncodedBytes is the body before Content-Encoding is undone, DecodedBytes
	// after. Chunk sizes and frame headers are in neither.
	EncodedBytes, DecodedBytes int64
	// FramingBytes is what Chromium counts as transferred beyond header and
	// body: chunk sizes under HTTP/1.1, frame headers and padding under HTTP/2.
	FramingBytes int64
	// Protocol is "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"; "" without an answer.
	Protocol string
	// MediaType is the lower-case Content-Type without parameters, "" if none.
	MediaType string
	Started   time.Time
	// Blocked is the wait for a connection. DNS, Connect and TLS are 0 on a
	// connection used before. Wait ends with the headers, Receive with the body.
	Blocked, DNS, Connect, TLS, Wait, Receive time.Duration
	// Error says in one line why the hop failed or was cut short.
	Error string
}

// Result is what a Get brought.
type Result struct {
	// Hops holds every request made, in order; the last is the final one. It is
	// empty only if the request was refused before anything was sent.
	Hops []Hop
	// FinalURL is the URL of the last hop.
	FinalURL string
	// Header is the last answer's, nil without one.
	Header http.Header
	// MediaType and Charset are what Content-Type says, lower case, "" if
	// nothing.
	MediaType, Charset string
	// Body is the decoded body, held only for what an engine reads: documents,
	// stylesheets, scripts and image/svg+xml. The rest is counted and dropped.
	// After an error it holds what arrived.
	Body []byte
	// RetryAfter is how long a 429 or 503 asks to be left alone; 0 if it does
	// not say.
	RetryAfter time.Duration
	// Err says why the request failed or was cut short: it wraps one of the
	// package's errors or a [*Limit], and its text is one line for a person. A
	// status of 400 and above is an answer, not an error.
	Err error
}

// Client fetches for any number of sessions at once over shared connections.
type Client struct {
	cfg Config
}

// New returns a Client. Close it when done.
func New(cfg Config) *Client { return &Client{cfg: cfg} }

// Close closes idle connections.
func (c *Client) Close() {}

// Session starts an inspection: an empty cookie jar and a fresh budget.
func (c *Client) Session() *Session { return &Session{client: c} }

// Session is one inspection. It is safe for concurrent use.
type Session struct {
	client *Client
}

// Bytes is what the session has transferred so far, headers and bodies.
func (s *Session) Bytes() int64 { return 0 }

// Get fetches one URL, redirects included. It always returns what it counted.
func (s *Session) Get(ctx context.Context, r Request) Result { return Result{} }
