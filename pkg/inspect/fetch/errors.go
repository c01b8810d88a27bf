package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Kinds of errors, to match with errors.Is. The text of an error that wraps one of
// these names the value and, where there is one, the remedy.
var (
	ErrURL       = errors.New("not a URL that can be fetched")
	ErrForbidden = errors.New("address is not public")
	ErrResolve   = errors.New("no such host")
	ErrConnect   = errors.New("no connection")
	ErrTLS       = errors.New("no trusted TLS connection")
	ErrProtocol  = errors.New("response is not HTTP")
	ErrEncoding  = errors.New("body does not decode")
	ErrCut       = errors.New("body ended early")
	ErrCanceled  = errors.New("request canceled")
)

// fault is a reason in one line. It wraps its kind and its cause.
type fault struct {
	kind   error
	reason libra.Reason
	cause  error
}

func (f *fault) Error() string { return f.reason.String() }

// Reason is for libra.ReasonOf.
func (f *fault) Reason() libra.Reason { return f.reason }

func (f *fault) Unwrap() []error { return []error{f.kind, f.cause} }

// codes holds the default code of each kind.
var codes = map[error]libra.Code{
	ErrURL: libra.CodeInvalidURL, ErrForbidden: libra.CodeAddressForbidden, ErrResolve: libra.CodeNameServerFailed,
	ErrConnect: libra.CodeConnectionFailed, ErrTLS: libra.CodeTLSFailed, ErrProtocol: libra.CodeNotHTTP,
	ErrEncoding: libra.CodeBodyEncoding, ErrCut: libra.CodeBodyCut, ErrCanceled: libra.CodeStopped,
}

func faultf(kind, cause error, format string, args ...any) *fault {
	return &fault{kind: kind, reason: libra.Reason{Code: codes[kind], Text: fmt.Sprintf(format, args...)}, cause: cause}
}

// as sets a code that is more exact than that of the kind.
func (f *fault) as(code libra.Code) *fault {
	f.reason.Code = code
	return f
}

// with sets the remedy.
func (f *fault) with(format string, args ...any) *fault {
	f.reason.Remedy = fmt.Sprintf(format, args...)
	return f
}

// explain turns the error of a request to u into one line for people.
func explain(ctx context.Context, lim *commonLimits, u weburl.URL, err error) error {
	if l := (*Limit)(nil); errors.As(context.Cause(ctx), &l) {
		return l
	}
	if l := (*Limit)(nil); errors.As(err, &l) {
		return l
	}
	if f := (*fault)(nil); errors.As(err, &f) {
		return f
	}
	// net/http has no types for these.
	if strings.Contains(err.Error(), "response headers exceeded") || strings.Contains(err.Error(), "response header list larger") {
		return lim.header
	}
	if ctx.Err() != nil {
		return canceled(u, context.Cause(ctx))
	}
	if f := explainConnect(u, err); f != nil {
		return f
	}
	if f := explainTLS(u, err); f != nil {
		return f
	}
	return explainHTTP(u, err)
}

func canceled(u weburl.URL, cause error) error {
	switch {
	case errors.Is(cause, context.DeadlineExceeded):
		return faultf(ErrCanceled, cause, "request to %s canceled: the page has reached its time limit", u.Host()).as(libra.CodePageTimeout)
	case errors.Is(cause, context.Canceled):
		return faultf(ErrCanceled, cause, "request to %s canceled: the inspection was stopped", u.Host())
	}
	return faultf(ErrCanceled, cause, "request to %s canceled: %s", u.Host(), cause)
}

// explainConnect explains errors of name lookup and TCP; nil for others.
func explainConnect(u weburl.URL, err error) error {
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		switch {
		case dns.IsNotFound:
			return faultf(ErrResolve, err, "no such host %q", u.Hostname()).as(libra.CodeHostNotFound).with("check the spelling")
		case dns.IsTimeout:
			return faultf(ErrResolve, err, "no name server answered for host %q", u.Hostname()).
				as(libra.CodeNameServerSilent).with("check /etc/resolv.conf, or try later")
		}
		return faultf(ErrResolve, err, "name server has no answer for host %q (%s)", u.Hostname(), dns.Err).with("try later")
	}
	for _, full := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, full) {
			return faultf(ErrConnect, err, "this machine cannot connect to %s: %s", u.Host(), full).as(libra.CodeLocalResources).with("try again later")
		}
	}
	var op *net.OpError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return faultf(ErrConnect, err, "connection refused by %s: nothing listens there", remote(u, err)).as(libra.CodeConnectionRefused)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return faultf(ErrConnect, err, "no route to %s", remote(u, err)).as(libra.CodeNoRoute).with("check the network of this machine")
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return faultf(ErrConnect, err, "connection reset by %s", u.Host()).as(libra.CodeConnectionReset)
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		return faultf(ErrConnect, err, "no connection to %s in time: nothing answers there", remote(u, err)).as(libra.CodeConnectTimeout)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultf(ErrConnect, err, "%s closed the connection without a response", u.Host()).as(libra.CodeConnectionClosed)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return faultf(ErrConnect, err, "%s did not respond in time", u.Host()).as(libra.CodeAnswerTimeout)
	}
	return nil
}

// remote returns the address of the attempt, where err has it.
func remote(u weburl.URL, err error) string {
	if op := (*net.OpError)(nil); errors.As(err, &op) && op.Addr != nil {
		return op.Addr.String()
	}
	return u.Host()
}

// explainTLS explains errors of handshakes and certificates; nil for others.
func explainTLS(u weburl.URL, err error) error {
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
		return faultf(ErrTLS, err, "certificate of %s is signed by an authority that this machine does not trust", u.Host()).as(libra.CodeCertificateUntrusted)
	case errors.As(err, &host):
		return faultf(ErrTLS, err, "certificate of %s is for another host: %s", u.Host(), oneLine(host)).as(libra.CodeCertificateHost)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return faultf(ErrTLS, err, "certificate of %s has expired or is not valid yet", u.Host()).as(libra.CodeCertificateExpired)
	case errors.As(err, &verify):
		return faultf(ErrTLS, err, "certificate of %s is not valid: %s", u.Host(), oneLine(verify.Err)).as(libra.CodeCertificateInvalid)
	case errors.As(err, &record):
		return faultf(ErrTLS, err, "%s does not speak TLS", u.Host()).as(libra.CodeNotTLS).with("try http://")
	case errors.As(err, &alert):
		return faultf(ErrTLS, err, "%s refused the TLS handshake: %s", u.Host(), oneLine(alert))
	case strings.Contains(err.Error(), "tls: "):
		return faultf(ErrTLS, err, "TLS with %s: %s", u.Host(), strings.TrimPrefix(oneLine(err), "tls: "))
	}
	return nil
}

// explainHTTP explains all other errors. The transport has no types for them, so
// their text is used, shortened.
func explainHTTP(u weburl.URL, err error) error {
	text := oneLine(err)
	for _, h2 := range []string{"stream error: ", "connection error: ", "GOAWAY"} {
		if strings.Contains(text, h2) {
			return faultf(ErrConnect, err, "%s ended the HTTP/2 exchange: %s", u.Host(), strings.TrimPrefix(text, "http2: "))
		}
	}
	for _, prefix := range []string{"net/http: HTTP/1.x transport connection broken: ", "net/http: ", "http2: ", "http: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return faultf(ErrProtocol, err, "response of %s is not HTTP: %s", u.Host(), text)
}

// oneLine returns the text of err without line breaks, shortened to 200 bytes.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}
