package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/web"
)

// siege is what clients send that keep connections to themselves, by kind.
var siege = map[string]string{
	"silent":      "",
	"idle":        "GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n",
	"slow header": "GET /up HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
	"slow body":   "POST /api/pages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	"unread body": "POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
}

// besiege opens n connections that send text and nothing more, from an address of the
// loopback.
func besiege(t testing.TB, h *rig, from, text string, n int) (open []net.Conn) {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 20 * time.Second}
	for range n {
		c, err := dialer.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := io.WriteString(c, text); err != nil && text != "" {
			continue // it was closed already
		}
		open = append(open, c)
	}
	return open
}

// up asks for /up on a connection of its own, from an address.
func up(t testing.TB, h *rig, from string) time.Duration {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext}
	client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
	began := time.Now()
	resp, err := client.Get(h.base + "/up")
	if err != nil {
		t.Fatalf("/up: %v", err)
	}
	resp.Body.Close()
	return time.Since(began)
}

// Whatever connections wait for their clients, all of one kind or all kinds at once,
// a new one is served, also one of the same address.
func TestWaitingConnectionsShutNobodyOut(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{MaxConns: 64, IdleTimeout: time.Hour, HeaderTimeout: time.Hour, BodyTimeout: time.Hour}).ready()
	for kind, text := range siege {
		besiege(t, h, "127.0.0.1", text, 100)
		for range 5 {
			up(t, h, "127.0.0.1")
			up(t, h, "127.0.0.2")
		}
		if waiting := metricOf(t, h.get("/metrics").body, `libra_web_connections{state="waiting"}`); waiting > 64 {
			t.Errorf("%s: %v connections wait", kind, waiting)
		}
	}
	if closed := metricOf(t, h.get("/metrics").body, "libra_web_connections_closed_total"); closed < 400 {
		t.Errorf("%v connections were closed", closed)
	}
}

// The full numbers of docs/operations.md.
func TestThreeThousandConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("it opens 3,300 connections")
	}
	h := newRig(t).start(web.Config{}).ready()
	for _, kind := range []string{"idle", "slow header", "slow body"} {
		besiege(t, h, "127.0.0.1", siege[kind], 1100)
	}
	var took []time.Duration
	for range 100 {
		took = append(took, up(t, h, "127.0.0.1"))
	}
	slices.Sort(took)
	t.Logf("/up beside 3,300 connections: median %v, 99 of 100 within %v", took[50], took[98])
	if took[50] > time.Second { // on a machine that is busy with other tests
		t.Errorf("the median of /up is %v", took[50])
	}
}

// An address has its share; a connection of another one is not closed for those beyond
// it.
func TestShareOfAnAddress(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{MaxConns: 16, IdleTimeout: time.Hour, HeaderTimeout: time.Hour}).ready()
	kept := besiege(t, h, "127.0.0.3", siege["idle"], 4)
	for _, c := range kept {
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	besiege(t, h, "127.0.0.2", siege["slow header"], 40)
	for i, c := range kept {
		if _, err := io.WriteString(c, siege["idle"]); err != nil {
			t.Fatal(err)
		}
		c.SetReadDeadline(time.Now().Add(5 * time.Second))
		r := bufio.NewReader(c)
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("connection %d of another address: %v", i, err)
		}
	}
}

// An event stream takes no room from others, and none is closed for them; an address
// has three quarters of them.
func TestStreamsHaveTheirShare(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{MaxConns: 8, MaxStreams: 16, HeaderTimeout: time.Hour}).ready()
	var streams []<-chan string
	for range 12 {
		streams = append(streams, h.events("/api/events?page="+request(1).Page))
	}
	for _, s := range streams {
		next(t, s)
	}
	if got := h.get("/api/events"); got.code != 503 || !strings.Contains(got.body, "this address has 12 event streams") {
		t.Errorf("one more stream = %d %s", got.code, got.body)
	}
	besiege(t, h, "127.0.0.1", siege["slow header"], 50)
	up(t, h, "127.0.0.2")
	metrics := h.get("/metrics").body
	if streams, waiting := metricOf(t, metrics, `libra_web_connections{state="stream"}`), metricOf(t, metrics, `libra_web_connections{state="waiting"}`); streams != 12 || waiting > 8 {
		t.Errorf("%v streams, %v connections wait", streams, waiting)
	}
}

// A client that sends its headers or its body for too long, or is idle for too long, is
// disconnected.
func TestSlowClientsAreDisconnected(t *testing.T) {
	t.Parallel()
	const soon = 500 * time.Millisecond // the test's own requests must not be too slow on a busy machine
	h := newRig(t).start(web.Config{IdleTimeout: soon, HeaderTimeout: soon, BodyTimeout: 2 * soon}).ready()
	for kind, text := range siege {
		for _, c := range besiege(t, h, "127.0.0.1", text, 1) {
			c.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}

// Bodies that come slowly take 8 MB together at most, and a small one comes through
// meanwhile.
func TestSlowBodiesAreBoundedTogether(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{BodyTimeout: time.Hour}).ready()
	text := "POST /api/pages HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 65000\r\n\r\n" + strings.Repeat(" ", 60_000)
	besiege(t, h, "127.0.0.1", text, 200)
	bustest.Await(t, "connections to be closed", func() bool {
		return metricOf(t, h.get("/metrics").body, "libra_web_connections_closed_total") >= 50
	})
	if got := h.submit("https://example.org/small"); got.code != http.StatusAccepted {
		t.Errorf("a small body = %d %s", got.code, got.body)
	}
}

// BenchmarkUpBeside is /up on a new connection, beside 1,100 others of a kind.
func BenchmarkUpBeside(b *testing.B) {
	for _, kind := range []string{"nothing", "idle", "slow header", "slow body"} {
		b.Run(strings.ReplaceAll(kind, " ", "_"), func(b *testing.B) {
			_, base := serveAt(b)
			h := &rig{base: base}
			if kind != "nothing" {
				besiege(b, h, "127.0.0.1", siege[kind], 1100)
			}
			var took []time.Duration
			for b.Loop() {
				took = append(took, up(b, h, "127.0.0.1"))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		})
	}
}
