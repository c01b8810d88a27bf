package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/publicsuffix"

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
	// TopLevel says that a document is shown instead of its referrer, not in it.
	TopLevel bool
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
	// after. Chunk sizes and frame headers are in neither. A redirect's body
	// counts as none: browsers do not wait for it.
	EncodedBytes, DecodedBytes int64
	// FramingBytes is what Chromium counts as transferred beyond header and
	// body: chunk sizes under HTTP/1.1, frame headers and padding under HTTP/2.
	FramingBytes int64
	// Protocol is "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"; "" without an answer.
	Protocol string
	// MediaType is the lower-case Content-Type without parameters, "" if none.
	MediaType string
	// Cache is what the answer says about being kept; nil if nothing.
	Cache   *libra.Cache
	Started time.Time
	// Blocked is the wait for a connection. DNS, Connect and TLS are 0 on a
	// connection used before. Wait ends with the headers, Receive with the body.
	Blocked, DNS, Connect, TLS, Wait, Receive time.Duration
	// Error says in one line why the hop failed or was cut short.
	Error     string
	ErrorCode libra.Code
}

// TransferBytes is Chromium's encodedDataLength for the hop.
func (h Hop) TransferBytes() int64 { return h.HeaderBytes + h.EncodedBytes + h.FramingBytes }

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
	// After an error it holds what arrived. It is the caller's until Release.
	Body []byte
	// RetryAfter is how long a 429 or 503 asks to be left alone; 0 if it does
	// not say.
	RetryAfter time.Duration
	// CertificateUntil is when the certificate of the last hop's server ends;
	// the zero time without TLS.
	CertificateUntil time.Time
	// Err says why the request failed or was cut short: it wraps one of the
	// package's errors or a [*Limit], and its text is one line for a person. A
	// status of 400 and above is an answer, not an error.
	Err error

	shelf *shelf // of Body
}

// Client fetches for any number of sessions at once over shared connections.
type Client struct {
	cfg    Config // with its defaults
	rt     *transports
	values *values
	limits standing
	places *places
}

// New returns a Client. Close it when done.
func New(cfg Config) *Client {
	cfg.Limits = cfg.Limits.withDefaults()
	if cfg.UserAgent == "" {
		cfg.UserAgent = DefaultUserAgent
	}
	if cfg.AcceptLanguage == "" {
		cfg.AcceptLanguage = "en-US,en;q=0.9"
	}
	return &Client{cfg: cfg, rt: newTransports(cfg), values: newValues(cfg), limits: newStanding(cfg.Limits), places: newPlaces()}
}

// Close closes idle connections.
func (c *Client) Close() { c.rt.close() }

// Session starts an inspection: an empty cookie jar and a fresh budget.
func (c *Client) Session() *Session {
	return &Session{client: c, jar: sync.OnceValue(newJar)}
}

func newJar() *cookiejar.Jar {
	// cookiejar.New has no way to fail.
	jar, _ := cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List})
	return jar
}

// Session is one inspection. It is safe for concurrent use.
type Session struct {
	client  *Client
	jar     func() *cookiejar.Jar // made when the first cookie comes
	cookies atomic.Int64          // how many were put into the jar
	spent   atomic.Int64          // bytes transferred
}

// Bytes is what the session has transferred so far, headers and bodies.
func (s *Session) Bytes() int64 { return s.spent.Load() }

// Get fetches one URL, redirects included. It always returns what it counted.
func (s *Session) Get(ctx context.Context, r Request) (res Result) {
	c := s.client
	if r.Type == libra.Media && r.Range == "" {
		r.Range = "bytes=0-"
	}
	u, err := c.parse(r.URL, nil)
	if err != nil {
		return Result{Err: err}
	}
	var chain []*url.URL
	for {
		x := s.exchange(ctx, r, u, chain)
		res.Hops = append(res.Hops, x.hop)
		res.FinalURL, res.Header, res.Err = x.hop.URL, x.header, x.err
		if res.shelf = x.shelf; x.shelf != nil {
			res.Body = x.shelf.b
		}
		res.MediaType, res.Charset, res.CertificateUntil = x.hop.MediaType, x.charset, x.certificateUntil()
		if x.err != nil || x.location == "" {
			break
		}
		chain = append(chain, u)
		if len(chain) > c.cfg.Limits.Redirects {
			res.Err = countLimit("redirects", "redirects not followed past", c.cfg.Limits.Redirects)
			break
		}
		if u, res.Err = c.parse(x.location, u); res.Err != nil {
			break
		}
	}
	res.describe()
	return res
}

// describe fills in what the last hop's headers say.
func (res *Result) describe() {
	last := &res.Hops[len(res.Hops)-1]
	if res.Err != nil && last.Error == "" {
		last.Error, last.ErrorCode = res.Err.Error(), libra.ReasonOf(res.Err).Code
	}
	if last.Status == http.StatusTooManyRequests || last.Status == http.StatusServiceUnavailable {
		res.RetryAfter = retryAfter(res.Header.Get("Retry-After"), last.Started)
	}
}

// contentType reads Content-Type as far as it makes sense.
func contentType(h http.Header) (mediaType, charset string) {
	v := h.Get("Content-Type")
	if bare, label, ok := plainType(v); ok {
		return bare, label
	}
	mediaType, params, err := mime.ParseMediaType(v)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		mediaType, _, _ = strings.Cut(v, ";")
	}
	return strings.ToLower(strings.TrimSpace(mediaType)), strings.ToLower(params["charset"])
}

// plainType reads a Content-Type as nearly all are written.
func plainType(v string) (mediaType, charset string, ok bool) {
	mediaType, rest, more := strings.Cut(v, ";")
	if more {
		if charset, more = strings.CutPrefix(strings.TrimPrefix(rest, " "), "charset="); !more {
			return "", "", false
		}
	}
	plain := func(r rune) bool {
		return 'a' <= r|0x20 && r|0x20 <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '+' || r == '.'
	}
	if strings.TrimFunc(charset, plain) != "" || more && charset == "" {
		return "", "", false
	}
	major, minor, slash := strings.Cut(mediaType, "/")
	ok = v == "" || slash && major != "" && minor != "" && strings.TrimFunc(major, plain) == "" && strings.TrimFunc(minor, plain) == ""
	return strings.ToLower(mediaType), strings.ToLower(charset), ok
}

// retryAfter reads both forms, seconds and a date (RFC 9110, section 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 1<<31)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
