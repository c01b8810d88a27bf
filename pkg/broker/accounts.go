package broker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
)

// mainAccount is that of the bus, with JetStream.
const mainAccount = "LIBRA"

// forgetReplies is after what time without a reply the server forgets who asked for
// messages of a consumer: longer than such a question is open, and than the pause between
// two replies to it.
const forgetReplies = 10 * time.Second

// writeAccounts writes the accounts of the server's configuration: one for the bus, and
// one for each other component, into which the bus is imported subject by subject, as far as
// its role goes. Anonymous clients have none.
//
// In one account, a component that may ask the bus for a message could have the reply
// sent to any subject: as an alarm with a content of its choice, or as the order to delete
// a stream. A reply to another account goes to the client that asked, and nowhere else.
func writeAccounts(b *strings.Builder, keys map[string]string) {
	a := accounts{exports: map[string]map[string][]string{}, imports: map[string]*strings.Builder{}}
	for _, c := range component.All() {
		a.imports[accountOf(c)] = &strings.Builder{}
	}
	for _, c := range component.All() {
		if accountOf(c) != mainAccount {
			a.join(c)
		}
	}
	b.WriteString("accounts {\n  SYS {}\n")
	for _, c := range component.All() {
		account, jetStream := accountOf(c), ""
		if account == mainAccount {
			jetStream = "    jetstream: enabled\n"
		}
		fmt.Fprintf(b, "  %s {\n%s    users: [ %s ]\n    exports: [\n%s    ]\n    imports: [\n%s    ]\n  }\n", account, jetStream, user(c, keys[c.Role]), a.exported(account), a.imports[account])
	}
	b.WriteString("}\nsystem_account: SYS\n")
}

func accountOf(c component.Component) string {
	if c.Role == "bus" {
		return mainAccount
	}
	return strings.ToUpper(c.Role)
}

// accounts are what accounts share with others.
type accounts struct {
	exports map[string]map[string][]string // who may import it, by account and line of the configuration
	imports map[string]*strings.Builder    // by account
}

// share has an account import a subject of another: kind is service, what is published and
// asked goes there, or stream, it comes from there. options are of the export, as of the import.
func (a accounts) share(kind, from, to, subject, options, as string) {
	if a.exports[from] == nil {
		a.exports[from] = map[string][]string{}
	}
	line := fmt.Sprintf("%s: %q%s", kind, subject, options)
	a.exports[from][line] = append(a.exports[from][line], to)
	fmt.Fprintf(a.imports[to], "      { %s: { account: %s, subject: %q }%s }\n", kind, from, subject, as)
}

func (a accounts) exported(account string) string {
	var b strings.Builder
	for _, line := range slices.Sorted(maps.Keys(a.exports[account])) {
		fmt.Fprintf(&b, "      { %s, accounts: [%s] }\n", line, strings.Join(a.exports[account][line], ", "))
	}
	return b.String()
}

// join has a component share what its role says. The main account gets what it publishes
// and asks; what it asks about consumers of its own goes to who checks it, see
// [event.ConsumerCall]. What it subscribes to comes from the main account and from each
// other that publishes it: the server passes a message through no third account.
func (a accounts) join(c component.Component) {
	r, account := roles[c.Role], accountOf(c)
	// With this one in its place the server does not answer by itself that the account has no
	// JetStream. The permissions of the user exclude it.
	a.share("service", mainAccount, account, "$JS.API.INFO", "", "")
	for _, subject := range r.mayPublish(c) {
		checked, ok := event.ConsumerCallSubject(c.Role, subject)
		switch {
		case ok:
			a.share("service", mainAccount, account, checked, "", fmt.Sprintf(", to: %q", subject))
		case strings.HasPrefix(subject, nextMessage) && !strings.HasPrefix(subject, nextMessage+event.RequestStream): // those are answered once
			a.share("service", mainAccount, account, subject, fmt.Sprintf(`, response_type: stream, response_threshold: "%s"`, forgetReplies), "")
		default:
			a.share("service", mainAccount, account, subject, "", "")
		}
	}
	for _, subject := range r.subscribes() {
		a.share("stream", mainAccount, account, subject, "", "")
		for _, other := range component.All() {
			if from := accountOf(other); from != mainAccount && from != account {
				for _, published := range roles[other.Role].mayPublish(other) {
					if covers(subject, published) {
						a.share("stream", from, account, published, "", "")
					}
				}
			}
		}
	}
	for _, subject := range r.answers {
		a.share("service", account, mainAccount, subject, "", "")
	}
}

// covers reports whether every subject that q selects is one that p selects.
func covers(p, q string) bool {
	tokens := strings.Split(q, ".")
	for i, token := range strings.Split(p, ".") {
		if token == ">" {
			return len(tokens) > i
		}
		if i >= len(tokens) || tokens[i] == ">" || token != "*" && token != tokens[i] {
			return false
		}
	}
	return strings.Count(p, ".") == strings.Count(q, ".")
}

// user is a component's, with its permissions.
func user(c component.Component, key string) string {
	r := roles[c.Role]
	return fmt.Sprintf("{ nkey: %s, permissions: { publish: { allow: [%s], deny: [%s] }, subscribe: [%s], allow_responses: %v } }",
		key, quoted(r.mayPublish(c)), quoted(mayNotTake(c)), quoted(append([]string{"_INBOX_" + c.Role + ".>"}, r.maySubscribe()...)), len(r.answers) > 0)
}

func quoted(subjects []string) string {
	var q []string
	for _, s := range subjects {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return strings.Join(q, ", ")
}
