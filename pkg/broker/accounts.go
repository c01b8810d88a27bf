package broker

import (
	"fmt"
	"strings"

	"libra/pkg/component"
)

// mainAccount is that of the bus, with JetStream.
const mainAccount = "LIBRA"

// writeAccounts writes the accounts of the server's configuration: one for the bus and
// most components, and one for each component that is apart. Anonymous clients have none.
func writeAccounts(b *strings.Builder, keys map[string]string) {
	var users, exports, imports, apart strings.Builder
	for _, c := range component.All() {
		r := roles[c.Role]
		if r.apart {
			writeApart(&apart, &exports, &imports, c, keys[c.Role])
		} else {
			writeUser(&users, c, keys[c.Role])
		}
	}
	fmt.Fprintf(b, "accounts {\n  SYS {}\n  %s {\n    jetstream: enabled\n    users: [\n%s    ]\n    exports: [\n%s    ]\n    imports: [\n%s    ]\n  }\n%s}\nsystem_account: SYS\n",
		mainAccount, &users, &exports, &imports, &apart)
}

// writeUser writes a component with its permissions.
func writeUser(b *strings.Builder, c component.Component, key string) {
	r := roles[c.Role]
	fmt.Fprintf(b, "      { nkey: %s, permissions: { publish: [%s], subscribe: [%s], allow_responses: %v } }\n",
		key, quoted(r.mayPublish(c)), quoted(append([]string{"_INBOX_" + c.Role + ".>"}, r.maySubscribe()...)), len(r.answers) > 0)
}

// writeApart writes the account of a component that is apart, and to exports and imports
// what the main account shares with it: it gets what the component publishes and asks,
// and gives what it subscribes to and is asked. A reply goes to the account of who asked.
func writeApart(b, exports, imports *strings.Builder, c component.Component, key string) {
	r, account := roles[c.Role], strings.ToUpper(c.Role)
	var own, answers, user strings.Builder
	writeUser(&user, c, key)
	share := func(kind, subject string) {
		fmt.Fprintf(exports, "      { %s: %q, accounts: [%s] }\n", kind, subject, account)
		fmt.Fprintf(&own, "      { %s: { account: %s, subject: %q } }\n", kind, mainAccount, subject)
	}
	for _, subject := range r.mayPublish(c) {
		share("service", subject)
	}
	for _, subject := range r.subscribe {
		share("stream", subject)
	}
	for _, subject := range r.answers {
		fmt.Fprintf(&answers, "      { service: %q, accounts: [%s] }\n", subject, mainAccount)
		fmt.Fprintf(imports, "      { service: { account: %s, subject: %q } }\n", account, subject)
	}
	fmt.Fprintf(b, "  %s {\n    users: [\n%s    ]\n    exports: [\n%s    ]\n    imports: [\n%s    ]\n  }\n", account, &user, &answers, &own)
}

func quoted(subjects []string) string {
	var q []string
	for _, s := range subjects {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return strings.Join(q, ", ")
}
