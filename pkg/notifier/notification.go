package notifier

import (
	"context"
	"errors"
	"time"

	"libra/pkg/libra"
)

// notification is a transition of an alarm on its way through the pipeline of a
// channel.
type notification struct {
	Transition libra.Transition `json:"transition"`
	// Repeat says that it may have been sent before.
	Repeat bool `json:"repeat"`
	// Direct says that it came by the socket, not by the bus.
	Direct bool `json:"direct,omitempty"`
	// Suppressed says in words why it was suppressed until now.
	Suppressed string `json:"held,omitempty"`
	// Post is the provider's name of the message that was sent about the alarm
	// before.
	Post place `json:"post,omitzero"`
	// LastSent is when the last message about the alarm was sent, for a
	// reminder.
	LastSent time.Time `json:"word,omitzero"`
	// Inhibits is how many alarms are suppressed because of this one.
	Inhibits int `json:"explains,omitempty"`
}

// place is a provider's own name of a message, for those that can change it.
type place struct {
	Room   string `json:"room"`
	Stamp  string `json:"stamp"`
	Shared bool   `json:"shared,omitempty"` // it is about several alarms
}

// kind of a message.
type kind string

const (
	news     kind = "alarm"
	reminded kind = "reminder"
	trial    kind = "trial"
)

// message is what one call sends: one notification, or a digest of many.
type message struct {
	Kind          kind           `json:"kind"`
	Notifications []notification `json:"deliveries"`
	// Repeat says that an earlier attempt may have arrived.
	Repeat bool `json:"repeat"`
	// Cut says that the provider refuses the whole texts.
	Cut bool `json:"cut,omitempty"`
	// Refused says why the provider refuses short texts, too. The message is a
	// notice then, with none of them; see writer.notice.
	Refused string `json:"refused,omitempty"`

	at time.Time // of this attempt
}

// receipt is the answer of a provider that has accepted a message.
type receipt struct {
	answer string
	post   place
}

// provider is a way to people, such as Slack or mail. Its send returns nil when
// the provider has accepted the message, and a *refusal when it surely has not.
type provider interface {
	send(ctx context.Context, m message) (receipt, error)
}

// refusal says that a message did not arrive.
type refusal struct {
	reason string
	after  time.Duration // the provider asks for no other attempt before
	// permanent: a retry does not help until a person changes something.
	permanent bool
	// message: it is this message that is refused; another one, with less in it,
	// may be accepted. Else it is the channel, or it may pass by itself.
	message bool
}

func (r *refusal) Error() string { return r.reason }

// refused returns the refusal in err, or nil.
func refused(err error) *refusal {
	var no *refusal
	if errors.As(err, &no) {
		return no
	}
	return nil
}
