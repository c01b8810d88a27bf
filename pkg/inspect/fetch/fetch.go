package fetch

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Config of a [Client]. The zero value fetches the public web.
type Config struct {
	// Allow lists the address prefixes that may be reached although they are
	// not public. Default none.
	Allow []netip.Prefix
	// AllowRemedy says what the reader of a refusal can do to allow a prefix.
	// Default [address.WithFlag].
	AllowRemedy func(netip.Prefix) string
	// AsPublic lists the address prefixes that count as public, for tests: all
	// their addresses are of this machine. Default none.
	AsPublic []netip.Prefix
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
	// Type decides which headers a browser sends, and whether the body is kept.
	// Default libra.Other.
	Type libra.ResourceType
	// Referrer is the URL of the document or stylesheet that names URL; "" for
	// the page itself. It is sent by strict-origin-when-cross-origin.
	Referrer string
	// TopLevel means that a document replaces its referrer, and is no frame in it.
	TopLevel bool
	// FromPublic means that the document that names URL came from a public address:
	// the request, and its redirects, reach only public addresses. Without it they
	// may reach what is allowed until a redirect comes from a public address.
	FromPublic bool
	// Range is a Range header such as "bytes=0-", which media gets by default.
	Range string
	// ETag and LastModified make the request conditional: the response may be 304.
	ETag, LastModified string
	// Unread means that the body is counted and not kept, whatever its type.
	Unread bool
	// Follow is asked before a redirect to another host is followed: after an error the
	// redirect is the last hop, and the error its result. May be nil.
	Follow func(ctx context.Context, url string) error
}

// follow says whether a redirect may be followed.
func (r Request) follow(ctx context.Context, from, to weburl.URL) error {
	if r.Follow == nil || from.Host() == to.Host() {
		return nil
	}
	return r.Follow(ctx, to.String())
}

// Hop is one request and its response. All but the last are redirects.
type Hop struct {
	URL string
	// Status is 0 without a response.
	Status int
	// HeaderBytes is the status line, the header lines and the blank line as
	// sent under HTTP/1.1; under HTTP/2 the header frames, still compressed.
	HeaderBytes int64
	// EncodedBytes is the body before Content-Encoding is decoded, DecodedBytes
	// after. Chunk sizes and frame headers are in neither. The body of a redirect
	// does not count: browsers do not wait for it.
	EncodedBytes, DecodedBytes int64
	// FramingBytes is what Chromium counts as transferred beyond header and
	// body: chunk sizes under HTTP/1.1, frame headers and padding under HTTP/2.
	FramingBytes int64
	// Protocol is "HTTP/1.0", "HTTP/1.1" or "HTTP/2.0"; "" without a response.
	Protocol string
	// MediaType is the lower-case Content-Type without parameters, "" if none.
	MediaType string
	// Cache is what the response says about caching; nil if nothing.
	Cache   *libra.Cache
	Started time.Time
	// Blocked is the wait for a connection. DNS, Connect and TLS are 0 on a
	// reused connection. Wait ends with the headers, Receive with the body.
	Blocked, DNS, Connect, TLS, Wait, Receive time.Duration
	// Error is the reason why the hop failed or was cut short, in one line.
	Error     string
	ErrorCode libra.Code
	// Oddity is what browsers overlook in the head of the response and no standard
	// allows, in one line; "" if nothing.
	Oddity string
}

// TransferBytes is Chromium's encodedDataLength for the hop.
func (h Hop) TransferBytes() int64 { return h.HeaderBytes + h.EncodedBytes + h.FramingBytes }

// Result is the result of a Get.
type Result struct {
	// Hops holds every request made, in order. It is empty only if the URL was
	// rejected before anything was sent.
	Hops []Hop
	// FinalURL is the URL of the last hop.
	FinalURL string
	// Header is the header of the last response, nil without one.
	Header http.Header
	// MediaType and Charset are those of Content-Type, in lower case, "" if
	// missing.
	MediaType, Charset string
	// Body is the decoded body, kept only for the types that the engine reads:
	// documents, style sheets, scripts and image/svg+xml. Others are counted and
	// discarded. After an error it is what was received. It is valid until
	// Release.
	Body []byte
	// RetryAfter is the Retry-After of a 429 or 503; 0 without that header.
	RetryAfter time.Duration
	// CertificateUntil is when the first certificate expires of the chain that
	// vouches for the last hop's server; the zero time without TLS.
	CertificateUntil time.Time
	// Private says that the last hop's address is not public, but allowed.
	Private bool
	// Err is why the request failed or was cut short: it wraps one of the
	// package's errors or a [*Limit], and its text is one line for people. A
	// status of 400 and above is no error.
	Err error

	held *bodyBuffer // of Body
}

// Client holds the connections that all sessions share.
type Client struct {
	cfg    Config // with its defaults
	rt     *spaces
	limits commonLimits
	slots  *bodySlots
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
	return &Client{cfg: cfg, rt: newSpaces(cfg), limits: newCommonLimits(cfg.Limits), slots: newBodySlots()}
}

// Close closes idle connections.
func (c *Client) Close() { c.rt.close() }

// Session starts an inspection: an empty cookie jar and a fresh budget.
func (c *Client) Session() *Session {
	return &Session{client: c}
}

// Session is one inspection. It is safe for concurrent use.
type Session struct {
	client *Client
	jar    jar
	top    atomic.Pointer[weburl.URL] // the page, once it has responded
	spent  atomic.Int64               // bytes transferred
}

// Bytes returns the bytes transferred so far, headers and bodies.
func (s *Session) Bytes() int64 { return s.spent.Load() }

// Get requests one URL and follows redirects. The bytes it returns are exact also
// after an error.
func (s *Session) Get(ctx context.Context, r Request) (res Result) {
	c := s.client
	if r.Type == libra.Media && r.Range == "" {
		r.Range = "bytes=0-"
	}
	u, err := c.parse(r.URL, weburl.URL{})
	if err != nil {
		return Result{Err: err}
	}
	var chain []weburl.URL
	for {
		x := s.exchange(ctx, r, u, chain)
		res.Hops = append(res.Hops, x.hop)
		res.FinalURL, res.Header, res.Err = x.hop.URL, x.header, x.err
		if res.held = x.held; x.held != nil {
			res.Body = x.held.b
		}
		res.MediaType, res.Charset, res.CertificateUntil = x.hop.MediaType, x.charset, x.certificateUntil()
		res.Private = x.private()
		r.FromPublic = r.FromPublic || !res.Private
		if x.err != nil || x.location == "" {
			break
		}
		chain = append(chain, u)
		if len(chain) > c.cfg.Limits.Redirects {
			res.Err = libra.Reason{
				Code: libra.CodeTooManyRedirects, Text: fmt.Sprintf("redirected more than %d times, the last time to %.200q", c.cfg.Limits.Redirects, x.location),
				Remedy: "check the server's redirects",
			}
			break
		}
		from := u
		if u, res.Err = c.parse(locationURL(x.location), u); res.Err == nil {
			res.Err = r.follow(ctx, from, u)
		}
		if res.Err != nil {
			break
		}
	}
	res.describe()
	return res
}

// describe records the error and the Retry-After of the last hop.
func (res *Result) describe() {
	last := &res.Hops[len(res.Hops)-1]
	if res.Err != nil && last.Error == "" {
		last.Error, last.ErrorCode = res.Err.Error(), libra.ReasonOf(res.Err).Code
	}
	if last.Status == http.StatusTooManyRequests || last.Status == http.StatusServiceUnavailable {
		res.RetryAfter = retryAfter(res.Header.Get("Retry-After"), last.Started)
	}
}

// retryAfter parses both forms, seconds and a date (RFC 9110, section 10.2.3).
func retryAfter(v string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(v); err == nil {
		return time.Duration(min(max(n, 0), 1<<31)) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}
