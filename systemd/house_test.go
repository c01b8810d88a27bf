//go:build appliance

// Package systemd_test runs Libra's real units under a real systemd and looks
// at them as an operator, a browser and Slack would:
//
//	make build && go test -tags appliance -v ./systemd/
//
// It boots an appliance of its own, beside any other, and takes it down.
package systemd_test

import (
	"flag"
	"os"
	"testing"

	"libra/systemd/house"
	"libra/systemd/load"
)

// box is the appliance under test.
var box = house.House{Name: "test"}

func TestMain(m *testing.M) {
	if load.Main(os.Stdin, os.Stdout) {
		return
	}
	flag.Parse()
	if flag.Lookup("test.bench").Value.String() != "" {
		box.Name = "bench" // beside a suite that runs at the same time
	}
	box.BeforeBoot = func(h *house.House) error { return writeRules(h, "") }
	os.Exit(house.Run(m, &box))
}
