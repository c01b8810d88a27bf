package notifier_test

import (
	"testing"
	"time"

	"libra/pkg/bus/bustest"
)

// A channel is busy while it has something to send, however long its provider takes.
func TestBusy(t *testing.T) {
	t.Parallel()
	s := newSink(t, hang)
	d := newFixture(t, s)
	d.cfg.Timeout = 500 * time.Millisecond
	d.run()
	bustest.Await(t, "the channel", func() bool { return d.n.Channels() == 1 })
	if busy := d.n.Busy(); busy != 0 {
		t.Errorf("nothing is sent, and the channel was busy for %d µs", busy)
	}
	d.publish(transition("web", 1))
	bustest.Await(t, "the message", func() bool { sent, _ := d.n.Counters(); return sent == 1 })
	if busy := time.Duration(d.n.Busy()) * time.Microsecond; busy < d.cfg.Timeout {
		t.Errorf("a message that was sent at the second attempt kept the channel busy for %s, the first took %s", busy, d.cfg.Timeout)
	}
}
