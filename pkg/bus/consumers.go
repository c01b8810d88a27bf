package bus

import (
	"encoding/json"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// ServeConsumers asks JetStream what components ask of consumers of their own, see
// [event.ConsumerCall], and refuses what would be another's or be delivered elsewhere. It is
// for libra-bus, lasts as long as the connection, and keeps nothing: after a restart it goes
// on. Each role is served by itself, so that one that asks too much keeps no other waiting.
func (c *Conn) ServeConsumers(roles []string) error {
	for _, role := range roles {
		_, err := c.nc.Subscribe(event.ConsumerCalls(role), func(m *nats.Msg) {
			answer, err := c.askConsumer(m)
			if err != nil { // who asks tries again
				answer = notAsked(err)
			}
			_ = m.Respond(answer) // lost with the connection
		})
		if err != nil {
			return unavailable(err)
		}
	}
	return nil
}

func (c *Conn) askConsumer(m *nats.Msg) ([]byte, error) {
	call, _ := event.ConsumerCallOf(m.Subject)
	data, err := checkConsumerCall(call, m.Data)
	if err != nil {
		c.refuse(m.Subject, err)
		return nil, err
	}
	answer, err := c.nc.Request(call.Subject, data, callTime)
	if err != nil {
		return nil, err
	}
	return answer.Data, nil
}

// checkConsumerCall returns the body with which JetStream is asked: what was read of it
// here, so that JetStream cannot read anything else.
func checkConsumerCall(call event.ConsumerCall, data []byte) ([]byte, error) {
	if !call.Own() {
		return nil, fmt.Errorf("consumer %q is not of %q: its own is %q or begins with %q", call.Name, call.Role, call.Role, call.Role+"-")
	}
	if call.Op != "CREATE" {
		return data, nil
	}
	var ask struct {
		Stream string                   `json:"stream_name"`
		Config jetstream.ConsumerConfig `json:"config"`
		Action string                   `json:"action,omitempty"`
	}
	if err := json.Unmarshal(data, &ask); err != nil {
		return nil, fmt.Errorf("read what consumer %q is to be: %w", call.Name, err)
	}
	if to := ask.Config.DeliverSubject; to != "" {
		return nil, fmt.Errorf("consumer %q is to deliver to %q: messages are asked for", call.Name, to)
	}
	return json.Marshal(ask)
}

// notAsked is the answer to what JetStream was not asked, or has not answered, in its words.
func notAsked(err error) []byte {
	var answer struct {
		Error jetstream.APIError `json:"error"`
	}
	answer.Error = jetstream.APIError{Code: 503, Description: err.Error()}
	data, _ := json.Marshal(answer)
	return data
}
