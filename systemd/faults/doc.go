// Package faults breaks Libra in every way that docs/survival.md lists, on the
// real units under a real systemd, while a load generator in a process of its
// own submits pages and reads answers, and counts both:
//
//	make build && go test -tags appliance -v -run '^TestFaults$' ./systemd/faults/
//
// Every row of the table is a test. A broken promise fails it; at the end the
// table is printed with the measured figures. TestFaultsShort is a selection of
// under a minute, TestSoak breaks things at random for -minutes.
package faults
