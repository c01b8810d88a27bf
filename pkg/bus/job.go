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

// next takes the next message of a lane; ok is false where none waits. After an error,
// a message that was claimed all the same may be the next, of whatever lane. It belongs
// to one goroutine.
func (c *claims) next(ctx context.Context, lane int) (m claimed, ok bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	c.count++
	inbox := c.inbox + "." + strconv.Itoa(c.count)
	if err := c.nc.PublishRequest(nextSubject(lane), inbox, []byte(`{"batch": 1, "no_wait": true}`)); err != nil {
		return m, false, err
	}
	for {
		msg, err := c.sub.NextMsgWithContext(ctx)
		if err != nil {
			return m, false, err
		}
		switch status := msg.Header.Get("Status"); {
		case !strings.HasPrefix(msg.Subject, c.inbox):
			return claimed{c.nc, msg}, true, nil
		case msg.Subject != inbox: // the answer to a claim that was given up
		case status == "404" || status == "408": // no message
			return m, false, nil
		default:
			return m, false, fmt.Errorf("%s %s", status, msg.Header.Get("Description"))
		}
	}
}

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
