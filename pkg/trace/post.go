package trace

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// mostAnswer is what is read of a collector's answer, in bytes, headers included.
const mostAnswer = 64 << 10

// answer is what a collector answers.
type answer struct {
	status     int
	retryAfter time.Duration // 0 without one, or where it is a date
	body       []byte
}

// post makes one POST of JSON on a connection of its own, until ctx ends. It is no
// http.Client: that is 0.6 MB of program which libra-web and libra-recorder have no other
// use for, and a call a second needs neither pool nor redirect nor proxy.
func post(ctx context.Context, to *url.URL, agent string, data []byte) (a answer, err error) {
	conn, err := dial(ctx, to)
	if err != nil {
		return a, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.String(), bytes.NewReader(data))
	if err != nil {
		return a, err
	}
	req.Close = true
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", agent)
	if password, ok := to.User.Password(); ok {
		req.SetBasicAuth(to.User.Username(), password)
	}
	// A collector may answer, and close, before it has read everything.
	sent := req.Write(conn)
	resp, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, mostAnswer)), req)
	if err != nil {
		return a, fmt.Errorf("no answer of the collector: %w", cmp.Or(ctx.Err(), sent, err))
	}
	defer resp.Body.Close()
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	a = answer{status: resp.StatusCode, retryAfter: time.Duration(seconds) * time.Second}
	a.body, _ = io.ReadAll(resp.Body) // what is cut off is not needed: the status counts
	return a, nil
}

func dial(ctx context.Context, to *url.URL) (net.Conn, error) {
	port := cmp.Or(to.Port(), "80")
	if to.Scheme != "https" {
		return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), port))
	}
	return new(tls.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(to.Hostname(), cmp.Or(to.Port(), "443")))
}
