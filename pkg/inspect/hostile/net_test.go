package hostile_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
	h2 "golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"libra/pkg/libra"
)

func names() []scenario {
	return []scenario{
		// The page is on this machine; the asset's name resolves to 10.0.0.1.
		{name: "name changes between look-ups", start: rebinding("<img src=/x.png>"), want: libra.Partial, reason: "10.0.0.1 is a private address"},
		{name: "name server fails", start: func(t *testing.T, o *order) string { nameServer(t, o); return "http://broken.test/" }, want: libra.Error, reason: "name server"},
		{name: "no such name", start: func(t *testing.T, o *order) string { nameServer(t, o); return "http://missing.test/" }, want: libra.Error, reason: `no such host "missing.test"`},
		{name: "name is private", start: func(t *testing.T, o *order) string { nameServer(t, o); return "http://private.test/" }, want: libra.Error, reason: "is a private address"},
	}
}

func rebinding(html string) start {
	serve := page(html, says("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	return func(t *testing.T, o *order) string {
		nameServer(t, o)
		return strings.Replace(serve(t, o), "127.0.0.1", "rebind.test", 1)
	}
}

var (
	nameServerOnce sync.Once
	nameServerAddr string
)

// nameServer makes the inspector use a name server of the test.
func nameServer(t *testing.T, o *order) {
	t.Helper()
	nameServerOnce.Do(func() {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { pc.Close() })
		nameServerAddr = pc.LocalAddr().String()
		go answerNames(pc)
	})
	o.DNS = nameServerAddr
}

func answerNames(pc net.PacketConn) {
	var rebound atomic.Int64
	p := make([]byte, 1500)
	for {
		n, from, err := pc.ReadFrom(p)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(p[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		q := m.Questions[0]
		m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
		a := func(ip [4]byte) {
			if q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AResource{A: ip}}}
			}
		}
		switch q.Name.String() {
		case "rebind.test.":
			// A name is looked up again when its first address turns out to be private.
			if q.Type == dnsmessage.TypeA && rebound.Add(1) > 2 {
				a([4]byte{10, 0, 0, 1})
			} else {
				a([4]byte{127, 0, 0, 1})
			}
		case "private.test.":
			a([4]byte{192, 168, 0, 1})
		case "broken.test.":
			m.RCode = dnsmessage.RCodeServerFailure
		default:
			m.RCode = dnsmessage.RCodeNameError
		}
		if out, err := m.Pack(); err == nil {
			_, _ = pc.WriteTo(out, from)
		}
	}
}

func secure() []scenario {
	// cut forwards n bytes of a TLS server's answer, then closes the connection.
	cut := func(n int64) start {
		return func(t *testing.T, o *order) string {
			srv := httptest.NewTLSServer(http.NotFoundHandler())
			t.Cleanup(srv.Close)
			o.Cert = srv.Certificate().Raw
			l := listen(t)
			go serve(l, func(c net.Conn) {
				up, err := net.Dial("tcp", srv.Listener.Addr().String())
				if err != nil {
					return
				}
				defer up.Close()
				go io.Copy(up, c)
				io.CopyN(c, up, n)
			})
			return "https://" + l.Addr().String() + "/"
		}
	}
	bare := func(talk func(net.Conn)) start {
		return func(t *testing.T, _ *order) string {
			l := listen(t)
			go serve(l, talk)
			return "https://" + l.Addr().String() + "/"
		}
	}
	return []scenario{
		{name: "TLS cut after 50 bytes", start: cut(50), want: libra.Error, reason: ""},
		{name: "TLS cut after 900 bytes", start: cut(900), want: libra.Error, reason: ""},
		{name: "TLS says nothing", start: bare(func(c net.Conn) { io.Copy(io.Discard, c) }), want: libra.Error, reason: "limit connect_timeout"},
		{name: "TLS is plain HTTP", start: bare(func(c net.Conn) { io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), want: libra.Error, reason: "does not speak TLS"},
		{name: "TLS record of noise", start: bare(func(c net.Conn) { io.WriteString(c, "\x16\x03\x03\x40\x00"+repeat("\xff", 16<<10)) }), want: libra.Error, reason: "TLS"},
		{name: "certificate of an unknown authority", start: func(t *testing.T, _ *order) string {
			srv := httptest.NewUnstartedServer(http.NotFoundHandler())
			srv.Config.ErrorLog = quiet
			srv.StartTLS()
			t.Cleanup(srv.Close)
			return srv.URL + "/"
		}, want: libra.Error, reason: "does not trust"},
	}
}

// framed reads one HTTP/2 request, then talk writes the frames.
func framed(talk func(f *h2.Framer, stream uint32)) start {
	return func(t *testing.T, o *order) string {
		srv := httptest.NewTLSServer(nil) // for its certificate
		t.Cleanup(srv.Close)
		o.Cert = srv.Certificate().Raw
		l := listen(t)
		conf := &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12}
		go serve(l, func(c net.Conn) {
			tc := tls.Server(c, conf)
			preface := make([]byte, len(h2.ClientPreface))
			if _, err := io.ReadFull(tc, preface); err != nil {
				return
			}
			f := h2.NewFramer(tc, tc)
			_ = f.WriteSettings()
			for {
				fr, err := f.ReadFrame()
				if err != nil {
					return
				}
				if hf, ok := fr.(*h2.HeadersFrame); ok {
					// Keep reading, or a client that writes blocks both.
					go io.Copy(io.Discard, tc)
					talk(f, hf.StreamID)
					io.Copy(io.Discard, tc)
					return
				}
			}
		})
		return "https://" + l.Addr().String() + "/"
	}
}

// fields is a header block.
func fields(pairs ...string) []byte {
	var b strings.Builder
	e := hpack.NewEncoder(&b)
	for i := 0; i < len(pairs); i += 2 {
		_ = e.WriteField(hpack.HeaderField{Name: pairs[i], Value: pairs[i+1]})
	}
	return []byte(b.String())
}

func http2() []scenario {
	answer := fields(":status", "200", "content-type", "text/html")
	headers := func(f *h2.Framer, id uint32, block []byte, end bool) {
		_ = f.WriteHeaders(h2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: end})
	}
	return []scenario{
		{name: "HTTP/2 stream reset", start: framed(func(f *h2.Framer, id uint32) { _ = f.WriteRSTStream(id, h2.ErrCodeInternal) }), want: libra.Error, reason: ""},
		{name: "HTTP/2 reset in body", start: framed(func(f *h2.Framer, id uint32) {
			headers(f, id, answer, true)
			_ = f.WriteData(id, false, []byte("<p>"))
			_ = f.WriteRSTStream(id, h2.ErrCodeInternal)
		}), want: libra.Partial, reason: "ended the HTTP/2 exchange"},
		{name: "HTTP/2 refuses for ever", start: framed(func(f *h2.Framer, id uint32) { _ = f.WriteRSTStream(id, h2.ErrCodeRefusedStream) }), want: libra.Error, reason: ""},
		{name: "HTTP/2 goes away", start: framed(func(f *h2.Framer, id uint32) { _ = f.WriteGoAway(0, h2.ErrCodeEnhanceYourCalm, nil) }), want: libra.Error, reason: ""},
		{name: "HTTP/2 continuation flood", start: framed(func(f *h2.Framer, id uint32) {
			headers(f, id, answer, false)
			block := fields("x-a", repeat("a", 1000))
			for f.WriteContinuation(id, false, block) == nil {
			}
		}), want: libra.Error, reason: ""},
		{name: "HTTP/2 header bomb", start: framed(func(f *h2.Framer, id uint32) {
			// One large field in the table, named again by a byte each.
			block := append(fields(":status", "200", "x-a", repeat("a", 4000)), []byte(repeat("\xbe", 12_000))...)
			headers(f, id, block, true)
		}), want: libra.Error, reason: ""},
		{name: "HTTP/2 says nothing", start: framed(func(*h2.Framer, uint32) {}), want: libra.Error, reason: "limit header_timeout"},
		{name: "HTTP/2 pings without end", start: framed(func(f *h2.Framer, id uint32) {
			for f.WritePing(false, [8]byte{}) == nil {
			}
		}), want: libra.Error, reason: ""},
		{name: "HTTP/2 settings without end", start: framed(func(f *h2.Framer, id uint32) {
			for f.WriteSettings(h2.Setting{ID: h2.SettingInitialWindowSize, Val: 1 << 20}) == nil {
			}
		}), want: libra.Error, reason: ""},
		{name: "HTTP/2 empty frames", start: framed(func(f *h2.Framer, id uint32) {
			headers(f, id, answer, true)
			for f.WriteData(id, false, nil) == nil {
			}
		}), want: libra.Error, reason: ""},
		{name: "HTTP/2 body stalls", start: framed(func(f *h2.Framer, id uint32) {
			headers(f, id, answer, true)
			_ = f.WriteData(id, false, []byte("<p>"))
		}), want: libra.Partial, reason: "limit idle_timeout"},
		{name: "HTTP/2 noise", start: framed(func(f *h2.Framer, id uint32) {
			_ = f.WriteRawFrame(0xfe, 0xff, id, []byte(fmt.Sprint(id)))
			_ = f.WriteRawFrame(h2.FrameData, 0xff, 0, []byte("x"))
		}), want: libra.Error, reason: ""},
	}
}
