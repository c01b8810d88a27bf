//go:build appliance

// Package systemd_test runs Libra's real units under a real systemd and looks
// at them as an operator, a browser and Slack would:
//
//	make build && go test -tags appliance -v ./systemd/
//
// It boots an appliance of its own, beside any other, and takes it down.
package systemd_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"libra/systemd/harness"
	"libra/systemd/load"
)

// box is the appliance under test.
var box = harness.Harness{Name: "test"}

func TestMain(m *testing.M) {
	if load.Main(os.Stdin, os.Stdout) {
		return
	}
	flag.Parse()
	figures := flagIsSet("test.bench")
	if figures {
		box.Name = "bench" // beside a suite that runs at the same time
	}
	box.BeforeBoot = func(h *harness.Harness) error {
		if figures {
			return writeRules(h, "")
		}
		return errors.Join(installBot(h), writeRules(h, ""))
	}
	code := harness.Run(m, &box)
	if code == 0 && !figures && !flagIsSet("test.run") && !flagIsSet("test.skip") && !flagIsSet("test.list") {
		code = checkEveryKind()
	}
	os.Exit(code)
}

func flagIsSet(name string) bool { return flag.Lookup(name).Value.String() != "" }

// checkEveryKind is the exit code of a suite that has had every kind of alarm told.
func checkEveryKind() int {
	list, err := kindsNotNotified()
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("the runbook has alarms of which no test here has people told: %q", list)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
