package fetch_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"libra/pkg/inspect/fetch"
)

// scriptedServer is a server that responds with the results of say, which is
// given the number of requests before on the connection. It closes it after "".
func scriptedServer(t *testing.T, say func(path string, before int) string) (base string, conns *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	conns = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for n := 0; ; n++ {
					req, err := http.ReadRequest(r)
					if err != nil {
						return
					}
					text := say(req.URL.Path, n)
					if _, err := io.WriteString(c, text); err != nil || text == "" {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), conns
}

func response200(body string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// A request on a reused connection that the server closes is sent again over
// another.
func TestConnectionClosedBetween(t *testing.T) {
	base, conns := scriptedServer(t, func(path string, before int) string {
		if before == 1 {
			return "" // after the request has been read
		}
		return response200(path)
	})
	s := session(t, fetch.Config{})
	for i := range 5 {
		path := fmt.Sprintf("/%d", i)
		if got := s.Get(t.Context(), fetch.Request{URL: base + path}); got.Err != nil || got.Hops[0].EncodedBytes != int64(len(path)) {
			t.Fatalf("%s: got %+v, %v", path, got.Hops, got.Err)
		}
	}
	if n := conns.Load(); n != 5 {
		t.Errorf("got %d connections, want 5", n)
	}
}

// What follows a response is not taken for the next one, whatever ends the
// response.
func TestBytesBetweenResponses(t *testing.T) {
	for _, first := range []string{
		response200("x"), "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 304 Not Modified\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 500) + "\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.1 200 OK\r\nX: y\r\n Content-Length: 2\r\nContent-Length: 1\r\n\r\nx",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
	} {
		base, _ := scriptedServer(t, func(string, int) string { return first + response200("planted, planted") })
		s := session(t, fetch.Config{})
		for range 5 {
			got := s.Get(t.Context(), fetch.Request{URL: base + "/"})
			if h := got.Hops[0]; got.Err != nil || h.TransferBytes() != int64(len(first)) {
				t.Fatalf("%q: got %+v, %v", first, got.Hops, got.Err)
			}
		}
	}
}

// Bytes that a server sends before the request are its response.
func TestServerSendsFirst(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "SSH-2.0-OpenSSH_9.2p1\r\n")
			io.Copy(io.Discard, c)
		}
	}()
	s := session(t, fetch.Config{})
	for range 20 {
		if got := s.Get(t.Context(), fetch.Request{URL: "http://" + l.Addr().String()}); !errors.Is(got.Err, fetch.ErrProtocol) {
			t.Fatalf("got %v, want %v", got.Err, fetch.ErrProtocol)
		}
	}
}

// A response that switches to another protocol ends with its head.
func TestSwitchingProtocols(t *testing.T) {
	const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
	got := session(t, fetch.Config{}).Get(t.Context(), fetch.Request{URL: rawServer(t, func(c net.Conn) { io.WriteString(c, head+"x"); hang(c) })})
	if h := got.Hops[0]; got.Err != nil || h.Status != 101 || h.HeaderBytes != int64(len(head)) || h.TransferBytes() != h.HeaderBytes {
		t.Errorf("got %+v, %v", h, got.Err)
	}
}

// A connection is reused however the end of its responses is announced.
func TestConnectionIsUsedAgain(t *testing.T) {
	answers := []string{
		response200("x"),
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\n\r\n" + response200("x"),
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Trailer: y\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 1\nX-Long: " + strings.Repeat("x", 5000) + "\n\nx",
		"HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 4\r\n\r\nmove",
	}
	base, conns := scriptedServer(t, func(path string, before int) string {
		if path == "/end" {
			return response200("end")
		}
		return answers[int(path[1]-'0')]
	})
	s := session(t, fetch.Config{})
	for i, a := range answers {
		got := s.Get(t.Context(), fetch.Request{URL: fmt.Sprintf("%s/%d", base, i)})
		if got.Err != nil {
			t.Fatalf("%q: %v", a, got.Err)
		}
		if h := got.Hops[0]; !strings.HasPrefix(a, "HTTP/1.1 302") && h.TransferBytes() != int64(len(a)) {
			t.Errorf("%q: counted %d bytes of %d: %+v", a, h.TransferBytes(), len(a), h)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("got %d connections, want 1", n)
	}
}

// A request that either side resets leaves nothing behind.
func TestResetStreamsAreForgotten(t *testing.T) {
	var client, server bytes.Buffer
	ours, theirs := http2.NewFramer(&client, nil), http2.NewFramer(&server, nil)
	for id := uint32(1); id < 30; id += 2 {
		for _, err := range []error{
			ours.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte("x"), EndStream: true, EndHeaders: true}),
			theirs.WriteRSTStream(id, http2.ErrCodeRefusedStream),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := fetch.OpenStreams(client.Bytes(), nil); n != 15 {
		t.Errorf("got %d streams, want 15", n)
	}
	if n := fetch.OpenStreams(client.Bytes(), server.Bytes()); n != 0 {
		t.Errorf("after resets of the server: got %d streams, want none", n)
	}
	if n := fetch.OpenStreams(append(client.Bytes(), server.Bytes()...), nil); n != 0 {
		t.Errorf("after resets of the client: got %d streams, want none", n)
	}
}

// A server that turns from HTTP/1.1 to HTTP/2 leaves no connection open when the
// client is closed.
func TestCloseLeavesNoConnection(t *testing.T) {
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	hellos, third, answered := 0, make(chan struct{}), make(chan struct{})
	answer := sync.OnceFunc(func() { close(answered) })
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 {
			answer()
			return
		}
		w.Header().Set("Connection", "close")
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Config.ConnState = func(c net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if open[c] = true; s == http.StateClosed {
			delete(open, c)
		}
	}
	srv.StartTLS()
	defer srv.Close()
	old := srv.TLS.Clone()
	old.NextProtos = []string{"http/1.1"}
	srv.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		mu.Lock()
		hellos++
		n := hellos
		mu.Unlock()
		switch n {
		case 1:
			return old, nil
		case 2:
			<-third // both requests make a connection
		case 3:
			close(third)
			<-answered // this one is not needed any more
		}
		return nil, nil
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	client := fetch.New(fetch.Config{Allow: loopback, TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}})
	s := client.Session()
	get := func() {
		if got := s.Get(t.Context(), fetch.Request{URL: srv.URL}); got.Err != nil {
			t.Error(got.Err)
		}
	}
	get()
	var two sync.WaitGroup
	for range 2 {
		two.Go(get)
	}
	two.Wait()
	client.Close()
	await(t, "all connections to be closed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(open) == 0
	})
}

// await waits for a condition.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited 5 s in vain for %s", what)
		}
	}
}

// A canceled wait for a connection does not block other requests.
func TestWaitingForConnection(t *testing.T) {
	asked, goOn := make(chan struct{}), make(chan struct{})
	base, conns := scriptedServer(t, func(path string, before int) string {
		if path == "/slow" {
			close(asked)
			<-goOn
		}
		return response200(path)
	})
	s := session(t, fetch.Config{Limits: fetch.Limits{ConnsPerHost: 1}})
	slow := make(chan fetch.Result, 1)
	go func() { slow <- s.Get(t.Context(), fetch.Request{URL: base + "/slow"}) }()
	<-asked
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if got := s.Get(ctx, fetch.Request{URL: base + "/impatient"}); !errors.Is(got.Err, fetch.ErrCanceled) {
		t.Errorf("got %v, want %v", got.Err, fetch.ErrCanceled)
	}
	patient := make(chan fetch.Result, 1)
	go func() { patient <- s.Get(t.Context(), fetch.Request{URL: base + "/patient"}) }()
	close(goOn)
	for _, got := range []fetch.Result{<-slow, <-patient} {
		if got.Err != nil {
			t.Error(got.Err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("got %d connections, want 1", n)
	}
}
