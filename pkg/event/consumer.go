package event

import "strings"

// What a component asks JetStream of a consumer of its own is asked of libra-bus instead, on a
// subject with the component's role, which the bus itself writes there. A consumer can
// deliver to any subject, and one of another component's name would take the place
// of that one's: the bus's permissions know neither. libra-bus passes on what is of the
// component's own name, and has no such subject in it.
//
//	$JS.API.CONSUMER.CREATE.REPORTS.web-1   ->   libra.consumer.web.CREATE.REPORTS.web-1
//
// Messages of a consumer are asked for directly.

const (
	consumerAPI = "$JS.API.CONSUMER."
	consumers   = "libra.consumer."
	// DueConsumer is the consumer that the libra-bus of all hosts share: each watch that
	// is due is relayed by one of them.
	DueConsumer = "due"
)

// ConsumerCalls selects those of a role.
func ConsumerCalls(role string) string { return consumers + role + ".>" }

// ConsumerCall is a question to JetStream about a consumer.
type ConsumerCall struct {
	Role    string
	Op      string // CREATE, INFO or DELETE
	Name    string
	Subject string // on which JetStream is asked
}

// ConsumerCallSubject is the subject on which libra-bus is asked what a role asks
// JetStream on subject, which may be a pattern; false where that is asked directly.
func ConsumerCallSubject(role, subject string) (string, bool) {
	call, ok := strings.CutPrefix(subject, consumerAPI)
	if !ok || strings.HasPrefix(call, "MSG.NEXT.") {
		return "", false
	}
	return consumers + role + "." + call, true
}

// ConsumerCallOf reads such a subject.
func ConsumerCallOf(subject string) (ConsumerCall, bool) {
	call, ok := strings.CutPrefix(subject, consumers)
	tokens := strings.Split(call, ".")
	if !ok || len(tokens) < 4 { // a filter may follow
		return ConsumerCall{}, false
	}
	_, asked, _ := strings.Cut(call, ".")
	return ConsumerCall{tokens[0], tokens[1], tokens[3], consumerAPI + asked}, true
}

// Own reports whether the consumer is one of the role's own: of its name, or one that
// begins with it and a dash.
func (c ConsumerCall) Own() bool {
	return c.Role != "" && (c.Name == c.Role || strings.HasPrefix(c.Name, c.Role+"-"))
}
