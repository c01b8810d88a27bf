package bus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/event"
)

// decode reads a message that was received on a subject, and refuses one that does
// not belong there: nothing that the bus delivers is believed without it. The error
// is counted and logged; the caller drops the message.
func decode[T any](c *Conn, subject string, data []byte) (v T, err error) {
	if v, err = read[T](subject, data); err != nil {
		c.refuse(subject, err)
	}
	return v, err
}

func read[T any](subject string, data []byte) (v T, err error) {
	var none T
	if most := event.MostBytes(v); len(data) > most {
		return none, fmt.Errorf("the message has %d bytes, more than %d", len(data), most)
	}
	if text := bytes.TrimLeft(data, " \t\r\n"); len(text) == 0 || text[0] != '{' {
		return none, errors.New("the message is not a JSON object")
	}
	if _, err := elements(data); err != nil {
		return none, err
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return none, fmt.Errorf("the message cannot be read: %w", err)
	}
	if err := event.Belongs(subject, v); err != nil {
		return none, err
	}
	return v, nil
}

// refusals counts the messages that were refused. A flood of them is one line of the
// log a minute for each kind of subject, of which there are few.
type refusals struct {
	count atomic.Int64

	mu    sync.Mutex
	kinds map[string]*refused // under mu; by the second token of the subject
}

type refused struct {
	logged time.Time
	since  int64 // refused since then, and not logged
}

// logRefusals is how often a kind is logged, at most.
const logRefusals = time.Minute

// add counts a refusal, and returns how many are to be logged now; 0 for none.
func (r *refusals) add(kind string, now time.Time) (log int64) {
	r.count.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kinds[kind]
	if k == nil {
		if r.kinds == nil {
			r.kinds = map[string]*refused{}
		}
		k = &refused{}
		r.kinds[kind] = k
	}
	k.since++
	if !k.logged.IsZero() && now.Sub(k.logged) < logRefusals {
		return 0
	}
	log = k.since
	k.logged, k.since = now, 0
	return log
}

// Refused counts the received messages that were dropped because they could not be
// read, or disagreed with their subject.
func (c *Conn) Refused() int64 { return c.refusals.count.Load() }

// refusalRemedy is what an operator can do about a refused message.
const refusalRemedy = "a component of another version, or somebody with a key of the bus, published it: see docs/operations.md, Refused messages"

func (c *Conn) refuse(subject string, why error) {
	_, kind, _ := strings.Cut(subject, ".")
	kind, _, _ = strings.Cut(kind, ".")
	if n := c.refusals.add(kind, time.Now()); n > 0 {
		c.log.Error("message refused", "subject", event.Cut(subject, 300), "err", why, "count", n, "remedy", refusalRemedy)
	}
}

// refusedReason is what the server's advisory says of a refused message that is
// removed from the bus.
const refusedReason = "refused: it does not belong on its subject"
