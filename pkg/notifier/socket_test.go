package notifier_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// What came by the socket is sent once, however often it comes, and over a
// restart of the notifier.
func TestSocketSendsOnce(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	stop := d.run()
	d.awaitSocket()
	for range 2 {
		if code := d.post(transition("web", 1)); code != http.StatusAccepted {
			t.Fatalf("answered %d", code)
		}
	}
	if code := d.post(libra.Transition{}); code != http.StatusBadRequest {
		t.Errorf("nothing was answered %d", code)
	}
	wantTexts(t, s, text(1))
	bustest.Await(t, "the note that it was sent", func() bool {
		data, err := os.ReadFile(filepath.Join(d.cfg.State, "channel-slack.json"))
		return err == nil && strings.Contains(string(data), `"recent":["web-1"]`)
	})
	stop()
	d.run()
	d.publish(transition("web", 1))
	d.publish(transition("web", 2))
	wantTexts(t, s, text(1), text(2))
}

// A socket that a killed notifier left is taken over; anything else is not.
func TestSocketInTheWay(t *testing.T) {
	t.Parallel()
	d := newFixture(t, nil)
	l, err := net.Listen("unix", d.cfg.Socket)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	stop := d.run()
	d.awaitSocket()
	stop()
	if err := os.WriteFile(d.cfg.Socket, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := notifier.New(d.cfg, notifier.Deps{Bus: d.bus.Connect("notifier"), Log: slog.Default()})
	if err := n.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "is there and no socket") {
		t.Errorf("Run: %v", err)
	}
}

// awaitSocket waits for somebody to answer there: a file comes first.
func (d *fixture) awaitSocket() {
	d.t.Helper()
	bustest.Await(d.t, "the socket", func() bool {
		conn, err := net.Dial("unix", d.cfg.Socket)
		return err == nil && conn.Close() == nil
	})
}

// A channel whose queue is full keeps nothing from the others.
func TestOneQueueIsFull(t *testing.T) {
	t.Parallel()
	a, b := newSink(t, hang), newSink(t)
	d := newFixture(t, nil)
	d.cfg.Timeout = time.Minute
	d.credential("a", a.URL+"/"+secret)
	d.credential("b", b.URL+"/"+secret)
	d.configure(slackChannel("a") + slackChannel("b"))
	var waiting []string
	for n := range 1000 {
		waiting = append(waiting, fmt.Sprintf(`{"transition":{"id":"old-%d","alarm":{"id":"old"}}}`, n))
	}
	queue := `{"waiting":[` + strings.Join(waiting, ",") + `]}`
	if err := os.WriteFile(filepath.Join(d.cfg.Runtime, "direct-a.json"), []byte(queue), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run()
	d.awaitSocket()
	if got := d.post(transition("web", 1)); got != 202 {
		t.Errorf("answered %d", got)
	}
	wantTexts(t, b, text(1))
}
