//go:build appliance

// Package systemd_test runs Libra's real units under a real systemd and checks them
// as an operator, a browser and Slack see them:
//
//	make build && go test -tags appliance -v ./systemd/
//
// It boots its own appliance, beside any other, and stops it.
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
		box.Name = "bench" // a suite may run at the same time
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

// checkEveryKind returns the exit code of the suite: 1 if a kind of alarm was not
// notified in any test.
func checkEveryKind() int {
	list, err := kindsNotNotified()
	if err == nil && len(list) > 0 {
		err = fmt.Errorf("no test here notifies of these alarms of the runbook: %q", list)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}
