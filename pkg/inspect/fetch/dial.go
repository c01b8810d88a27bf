package fetch

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"

	"libra/pkg/inspect/address"
	"libra/pkg/libra"
)

// A dial returns errH2 or errH1 when the server has chosen the other protocol.
var (
	errH2 = errors.New("server speaks HTTP/2")
	errH1 = errors.New("server speaks HTTP/1.1")
)

// network dials for both transports of one address space and remembers which hosts
// speak HTTP/2.
type network struct {
	guard   address.Guard
	space   address.Space
	tls     *tls.Config
	connect time.Duration

	mu    sync.Mutex
	hosts map[string]*host // by host:port; under mu
}

// host is one server that speaks TLS.
type host struct {
	// gate is held while the first connection is made, until its protocol is
	// known. Other requests to the host wait for that, as in a browser, instead
	// of each making a connection that HTTP/2 does not need.
	gate chan struct{}

	streams streams // HTTP/2: requests in flight

	mu    sync.Mutex
	proto string // "", "http/1.1" or "h2"; under mu
	spare *conn  // an HTTP/2 connection that dialH1 made; under mu
}

// maxHosts bounds the hosts that are remembered.
const maxHosts = 4096

func (n *network) host(addr string) *host {
	n.mu.Lock()
	defer n.mu.Unlock()
	h := n.hosts[addr]
	if h == nil {
		if n.hosts == nil || len(n.hosts) >= maxHosts {
			n.hosts = map[string]*host{}
		}
		h = &host{gate: make(chan struct{}, 1)}
		n.hosts[addr] = h
	}
	return h
}

func (n *network) closeSpares() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, h := range n.hosts {
		if c := h.takeSpare(); c != nil {
			c.Close()
		}
	}
}

func (h *host) protocol() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proto
}

// record remembers the protocol of c, and c itself if it is spare.
func (h *host) record(c *conn, spare bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.proto = "http/1.1"
	if c.h2 {
		h.proto = "h2"
	}
	if spare {
		if h.spare != nil {
			h.spare.Close()
		}
		h.spare = c
		time.AfterFunc(idleTime, func() { h.closeSpare(c) })
	}
}

// closeSpare closes c if it is still spare: the request that it was made for may
// have ended, or have found another connection.
func (h *host) closeSpare(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.spare == c {
		h.spare = nil
		c.Close()
	}
}

func (h *host) takeSpare() *conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.spare
	h.spare = nil
	return c
}

// tcp makes a TCP connection.
func (n *network) tcp(ctx context.Context, addr string) (*conn, error) {
	var resolving, connecting time.Time
	started := time.Now()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { resolving = time.Now() },
		DNSDone:  func(httptrace.DNSDoneInfo) { connecting = time.Now() },
	})
	var checked control
	d := net.Dialer{Timeout: n.connect, Control: func(_, addr string, _ syscall.RawConn) error { return checked.check(n, addr) }}
	tcp, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, checked.explain(err)
	}
	c := newConn(tcp)
	c.private = n.space == address.Private
	c.connect = time.Since(started)
	if !resolving.IsZero() {
		c.dns = connecting.Sub(resolving)
		c.connect = time.Since(connecting)
	}
	return c, nil
}

// secure makes a TLS connection and negotiates the protocol.
func (n *network) secure(ctx context.Context, addr string) (*conn, error) {
	c, err := n.tcp(ctx, addr)
	if err != nil {
		return nil, err
	}
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		c.Close()
		return nil, err
	}
	cfg := n.tls.Clone()
	cfg.NextProtos = []string{"h2", "http/1.1"}
	if cfg.ServerName == "" {
		cfg.ServerName = name
	}
	ctx, cancel := context.WithTimeoutCause(ctx, n.connect, timeLimit("connect_timeout", "no TLS handshake within", n.connect))
	defer cancel()
	t := tls.Client(c.Conn, cfg)
	started := time.Now()
	if err := t.HandshakeContext(ctx); err != nil {
		c.Close()
		if l := (*Limit)(nil); errors.As(context.Cause(ctx), &l) {
			err = faultf(ErrTLS, err, "%s", l.Error()).as(libra.CodeConnectTimeout)
		}
		return nil, err
	}
	c.handshake = time.Since(started)
	c.Conn = t
	c.h2 = t.ConnectionState().NegotiatedProtocol == "h2"
	return c, nil
}

// unlabel takes the labels of the page that dials off this goroutine, which net/http has made
// for the dial: what it starts now serves the connection for every page.
func unlabel() { pprof.SetGoroutineLabels(context.Background()) }

// dialPlain is the HTTP/1 transport's dial for http.
func (n *network) dialPlain(ctx context.Context, _, addr string) (net.Conn, error) {
	defer unlabel()
	c, err := n.tcp(ctx, addr)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// dialH1 is the HTTP/1 transport's dial for https.
func (n *network) dialH1(ctx context.Context, _, addr string) (net.Conn, error) {
	defer unlabel()
	h := n.host(addr)
	switch h.protocol() {
	case "h2":
		return nil, errH2
	case "":
		select {
		case h.gate <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		defer func() { <-h.gate }()
		if h.protocol() == "h2" {
			return nil, errH2
		}
	}
	c, err := n.secure(ctx, addr)
	if err != nil {
		return nil, err
	}
	h.record(c, c.h2)
	if c.h2 {
		return nil, errH2
	}
	return c, nil
}

// dialH2 is the HTTP/2 transport's dial.
func (n *network) dialH2(ctx context.Context, _, addr string) (net.Conn, error) {
	defer unlabel()
	h := n.host(addr)
	if c := h.takeSpare(); c != nil {
		return c, nil
	}
	c, err := n.secure(ctx, addr)
	if err != nil {
		return nil, err
	}
	h.record(c, false)
	if !c.h2 {
		c.Close()
		return nil, errH1
	}
	return c, nil
}

const (
	idleTime = 30 * time.Second // after which an unused connection is closed
	mostIdle = 256              // of all hosts of an address space together
)

// transports are net/http's for HTTP/1.1 and for HTTP/2, over one network.
type transports struct {
	net    *network
	h1, h2 *http.Transport
}

func newTransports(cfg Config, guard address.Guard, space address.Space) *transports {
	base := cfg.TLS
	if base == nil {
		base = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	n := &network{guard: guard, space: space, tls: base, connect: cfg.Limits.ConnectTimeout}
	transport := func() *http.Transport {
		return &http.Transport{
			Proxy:                  nil, // never from the environment
			DisableCompression:     true,
			MaxIdleConns:           mostIdle,
			IdleConnTimeout:        idleTime,
			MaxResponseHeaderBytes: cfg.Limits.HeaderBytes,
			Protocols:              new(http.Protocols),
		}
	}
	h1, h2 := transport(), transport()
	h1.DialContext, h1.DialTLSContext = n.dialPlain, n.dialH1
	h1.MaxConnsPerHost, h1.MaxIdleConnsPerHost = cfg.Limits.ConnsPerHost, cfg.Limits.ConnsPerHost
	h1.Protocols.SetHTTP1(true)
	h2.DialTLSContext = n.dialH2
	h2.MaxConnsPerHost = 1
	h2.HTTP2 = &http.HTTP2Config{
		StrictMaxConcurrentRequests: true,
		WriteByteTimeout:            cfg.Limits.IdleTimeout,
		MaxDecoderHeaderTableSize:   64 << 10, // as in Chromium: header sizes depend on it
	}
	// dialH2 returns connections with TLS. "Unencrypted" makes the transport speak
	// HTTP/2 on them although they are no *tls.Conn.
	h2.Protocols.SetHTTP2(true)
	h2.Protocols.SetUnencryptedHTTP2(true)
	return &transports{net: n, h1: h1, h2: h2}
}

// roundTrip sends req over the protocol that the host speaks. The servers behind
// one address may differ, so it tries again a few times when they do.
func (t *transports) roundTrip(ctx context.Context, x *exchange, req *http.Request) (resp *http.Response, err error) {
	hooks := &httptrace.ClientTrace{GotConn: x.gotConn, WroteHeaders: x.wroteHeaders}
	req = req.WithContext(httptrace.WithClientTrace(ctx, hooks))
	for range 4 {
		rt := t.h1
		if req.URL.Scheme == "https" {
			if h := t.net.host(addr(req.URL)); h.protocol() == "h2" {
				if err := x.awaitTurn(ctx, h); err != nil {
					return nil, err
				}
				rt, x.stream = t.h2, make(chan struct{}, 1)
			}
		}
		if resp, err = rt.RoundTrip(req); !errors.Is(err, errH1) && !errors.Is(err, errH2) {
			return resp, err
		}
	}
	return nil, err
}

func (t *transports) close() {
	t.h1.CloseIdleConnections()
	t.h2.CloseIdleConnections()
	t.net.closeSpares()
}
