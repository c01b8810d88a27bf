// Package loadtest asks too much of Libra, on the real units under a real systemd and from
// the loopback alone, and prints what was wanted beside what was measured:
//
//	make load
//	make build && go test -tags appliance -v -run '^TestLoad$' ./systemd/loadtest/
//
// Every scenario is a test; a figure that is not held fails it. Load generators have
// processes of their own, on the same cores as the appliance.
package loadtest
