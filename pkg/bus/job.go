package bus

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/event"
)

// lease is how long a worker may claim a request without a sign of progress
// before another worker gets it.
const lease = 5 * time.Second

// Job is a request that a worker has claimed. Exactly one of Done, Retry and Drop
// ends it; a job that is not ended is redelivered after its lease.
type Job struct {
	Request event.Request
	Attempt int   // delivery number, from 1, without those that were given back
	Round   int64 // in which the request waited
	claimed claimed
}

// Done ends the job: its report is stored.
func (j Job) Done(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err := j.claimed.nc.RequestWithContext(ctx, j.claimed.msg.Reply, []byte("+ACK"))
	return unavailable(err)
}

// Retry gives the job back, to be delivered again after a pause. What has claimed it
// is well, so that this is no attempt: see [returns].
func (j Job) Retry(pause time.Duration) error {
	return j.claimed.say(fmt.Sprintf(`-NAK {"delay": %d}`, pause.Nanoseconds()))
}

// Drop removes the job from the bus without a report.
func (j Job) Drop(reason string) error { return j.claimed.say("+TERM " + reason) }

// extendLease extends the lease for at most longest.
func (j Job) extendLease(longest time.Duration) (stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	go func() {
		tick := time.NewTicker(lease / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = j.claimed.say("+WPI") // lost with the connection: then it is redelivered
			}
		}
	}()
	return cancel
}

// claimed is a message of a consumer, which a worker has asked for by the consumer's
// name alone: what nats.go has for that asks for the consumer's state first, which a
// worker's key does not permit. The words are JetStream's acknowledgements.
type claimed struct {
	nc  *nats.Conn
	msg *nats.Msg
}

func (m claimed) say(word string) error { return unavailable(m.nc.Publish(m.msg.Reply, []byte(word))) }

// claims is an inbox to which the bus delivers claimed messages. It is no reply to a
// request of nats.go: a message keeps the subject on which it was stored.
type claims struct {
	nc    *nats.Conn
	inbox string
	sub   *nats.Subscription
	count int // of claims so far: the last token of the subject to which one is answered
}

func (c *Conn) newClaims() (*claims, error) {
	inbox := c.nc.NewInbox()
	sub, err := c.nc.SubscribeSync(inbox + ".*")
	return &claims{nc: c.nc, inbox: inbox, sub: sub}, unavailable(err)
}

// take takes up to most messages of a lane, and says whether it has more. Messages of a
// claim that was given up are taken instead where there are any, of whatever lane. Some
// may come with an error. It belongs to one goroutine.
func (c *claims) take(ctx context.Context, lane, most int) (taken []claimed, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if taken, err = c.late(ctx); err != nil || len(taken) > 0 {
		return taken, true, err
	}
	for ask := 1; ask > 0; { // the first says how many there are
		asked, err := c.ask(ctx, lane, ask)
		taken = append(taken, asked...)
		if err != nil || len(asked) == 0 {
			return taken, false, err
		}
		meta, err := asked[len(asked)-1].msg.Metadata()
		if err != nil {
			return taken, false, err
		}
		left := int(meta.NumPending)
		if meta.NumDelivered > 1 { // what is delivered again is not counted: there may be as many as so far
			left = max(left, len(taken))
		}
		more, ask = left > 0, min(left, most-len(taken))
	}
	return taken, more, nil
}

// ask asks for n messages of a lane, each with a claim of its own: the account of a worker
// is answered once.
func (c *claims) ask(ctx context.Context, lane, n int) (taken []claimed, err error) {
	c.count++
	inbox := c.inbox + "." + strconv.Itoa(c.count)
	for range n {
		if err := c.nc.PublishRequest(nextSubject(lane), inbox, []byte(`{"batch": 1, "no_wait": true}`)); err != nil {
			return nil, err
		}
	}
	for answers := 0; answers < n; {
		msg, err := c.sub.NextMsgWithContext(ctx)
		if err != nil {
			return taken, err
		}
		switch status := msg.Header.Get("Status"); {
		case c.isClaimed(msg):
			taken = append(taken, claimed{c.nc, msg})
		case msg.Subject != inbox: // the answer to a claim that was given up
			continue
		case status != "404" && status != "408": // no message
			return taken, fmt.Errorf("%s %s", status, msg.Header.Get("Description"))
		}
		answers++
	}
	return taken, nil
}

// late is what has come since the last claim.
func (c *claims) late(ctx context.Context) (taken []claimed, err error) {
	waiting, _, err := c.sub.Pending()
	for range waiting {
		msg, err := c.sub.NextMsgWithContext(ctx)
		if err != nil {
			return taken, err
		}
		if c.isClaimed(msg) {
			taken = append(taken, claimed{c.nc, msg})
		}
	}
	return taken, err
}

// isClaimed reports whether a message is a claimed one, which keeps its subject, and not
// an answer to a claim.
func (c *claims) isClaimed(msg *nats.Msg) bool { return !strings.HasPrefix(msg.Subject, c.inbox) }

func nextSubject(lane int) string {
	return "$JS.API.CONSUMER.MSG.NEXT." + event.RequestStream + "." + event.LaneConsumer(lane)
}

// job reads a claimed message; one that is not a request is dropped.
func (c *Conn) job(m claimed, back *returns) (Job, bool, error) {
	meta, err := m.msg.Metadata()
	if err != nil {
		return Job{}, false, err
	}
	at, _ := event.RequestOf(m.msg.Subject)
	job := Job{Attempt: max(1, int(meta.NumDelivered)-back.of(meta.Sequence.Stream)), Round: at.Round, claimed: m}
	if job.Request, err = decode[event.Request](c, m.msg.Subject, m.msg.Data); err != nil {
		return Job{}, false, job.Drop(refusedReason)
	}
	return job, true, nil
}
