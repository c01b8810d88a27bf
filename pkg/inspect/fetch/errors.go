package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// What went wrong, for callers to tell apart. Every text that wraps one of
// these names the value and, where there is one, the remedy.
var (
	ErrURL       = errors.New("not a URL that can be fetched")
	ErrForbidden = errors.New("address is not public")
	ErrResolve   = errors.New("no such host")
	ErrConnect   = errors.New("no connection")
	ErrTLS       = errors.New("no trusted TLS connection")
	ErrProtocol  = errors.New("answer is not HTTP")
	ErrEncoding  = errors.New("body does not decode")
	ErrCut       = errors.New("body ended early")
	ErrCanceled  = errors.New("given up")
)

// fault says in one line what happened and wraps its kind and its cause.
type fault struct {
	kind  error
	text  string
	cause error
}

func (f *fault) Error() string { return f.text }

func (f *fault) Unwrap() []error { return []error{f.kind, f.cause} }

func faultf(kind, cause error, format string, args ...any) *fault {
	return &fault{kind: kind, text: fmt.Sprintf(format, args...), cause: cause}
}

// explain turns the error of asking u into one line for a person.
func explain(ctx context.Context, lim *standing, u *url.URL, err error) error {
	if l := (*Limit)(nil); errors.As(context.Cause(ctx), &l) {
		return l
	}
	if l := (*Limit)(nil); errors.As(err, &l) {
		return l
	}
	if f := (*fault)(nil); errors.As(err, &f) {
		return f
	}
	if strings.Contains(err.Error(), "response header list larger") {
		return lim.header // net/http has no type for it
	}
	if ctx.Err() != nil {
		return faultf(ErrCanceled, context.Cause(ctx), "given up on %s: %s", u.Host, canceled(context.Cause(ctx)))
	}
	if f := explainConnect(u, err); f != nil {
		return f
	}
	if f := explainTLS(u, err); f != nil {
		return f
	}
	return explainHTTP(u, err)
}

func canceled(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "the time for the page is over"
	case errors.Is(err, context.Canceled):
		return "the inspection was stopped"
	}
	return err.Error()
}

// explainConnect knows name lookup and TCP; nil if err is neither's.
func explainConnect(u *url.URL, err error) error {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		switch {
		case dns.IsNotFound:
			return faultf(ErrResolve, err, "no such host %q: check the spelling", u.Hostname())
		case dns.IsTimeout:
			return faultf(ErrResolve, err, "no name server answered for host %q: check /etc/resolv.conf, or try later", u.Hostname())
		}
		return faultf(ErrResolve, err, "name server has no answer for host %q (%s): try later", u.Hostname(), dns.Err)
	}
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return faultf(ErrConnect, err, "connection refused by %s: nothing listens there", remote(u, err))
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return faultf(ErrConnect, err, "no route to %s: check the network of this machine", remote(u, err))
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return faultf(ErrConnect, err, "connection reset by %s", u.Host)
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return faultf(ErrConnect, err, "no connection to %s in time: nothing answers there", remote(u, err))
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultf(ErrConnect, err, "%s closed the connection without an answer", u.Host)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return faultf(ErrConnect, err, "%s did not answer in time", u.Host)
	}
	return nil
}

// remote is the address that was tried, where err knows it.
func remote(u *url.URL, err error) string {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Addr != nil {
		return op.Addr.String()
	}
	return u.Host
}

// explainTLS knows handshakes and certificates; nil if err is no such thing.
func explainTLS(u *url.URL, err error) error {
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		record    tls.RecordHeaderError
		verify    *tls.CertificateVerificationError
		alert     tls.AlertError
	)
	switch {
	case errors.As(err, &authority):
		return faultf(ErrTLS, err, "certificate of %s is signed by nobody this machine trusts", u.Host)
	case errors.As(err, &host):
		return faultf(ErrTLS, err, "certificate of %s is for another host: %s", u.Host, oneLine(host))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return faultf(ErrTLS, err, "certificate of %s has expired or is not valid yet", u.Host)
	case errors.As(err, &verify):
		return faultf(ErrTLS, err, "certificate of %s is not valid: %s", u.Host, oneLine(verify.Err))
	case errors.As(err, &record):
		return faultf(ErrTLS, err, "%s does not speak TLS: try http://", u.Host)
	case errors.As(err, &alert):
		return faultf(ErrTLS, err, "%s refused the TLS handshake: %s", u.Host, oneLine(alert))
	case strings.Contains(err.Error(), "tls: "):
		return faultf(ErrTLS, err, "TLS with %s: %s", u.Host, strings.TrimPrefix(oneLine(err), "tls: "))
	}
	return nil
}

// explainHTTP is what is left: the transport has no types for what servers do
// to it, so its text is passed on, once and short.
func explainHTTP(u *url.URL, err error) error {
	text := oneLine(err)
	for _, h2 := range []string{"stream error: ", "connection error: ", "GOAWAY"} {
		if strings.Contains(text, h2) {
			return faultf(ErrConnect, err, "%s broke off the HTTP/2 exchange: %s", u.Host, strings.TrimPrefix(text, "http2: "))
		}
	}
	for _, prefix := range []string{"net/http: HTTP/1.x transport connection broken: ", "net/http: ", "http2: ", "http: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return faultf(ErrProtocol, err, "answer of %s is not HTTP: %s", u.Host, text)
}

// oneLine is err's text without line breaks, and no longer than a line.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
