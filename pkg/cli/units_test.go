package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/cli"
)

// systemctl puts one into the path that prints text.
func systemctl(t *testing.T, text string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte("#!/bin/sh\ncat <<'END'\n"+text+"END\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// A unit that systemd could not load is named, and one that is masked, unless nobody
// needs it; one that does not exist is not.
func TestDoctorNamesUnitsThatAreNotLoaded(t *testing.T) {
	systemctl(t, `Id=libra-bus.service
LoadState=masked
ActiveState=inactive
SubState=dead

Id=libra-web.service
LoadState=bad-setting
ActiveState=inactive
SubState=dead

Id=libra-notifier.service
LoadState=error
ActiveState=active
SubState=running

Id=libra-gone.service
LoadState=not-found
ActiveState=inactive
SubState=dead

Id=libra-watchdog.service
LoadState=loaded
ActiveState=failed
SubState=failed

Id=libra-recorder.service
LoadState=loaded
ActiveState=active
SubState=running
`)
	got, err := cli.SeeUnitsOfSystemd(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"libra-bus.service is masked: it cannot be started | systemctl unmask libra-bus.service && systemctl start libra-bus.service",
		"libra-web.service cannot be loaded (bad-setting) | systemd-analyze verify libra-web.service says why; after the correction: systemctl daemon-reload",
		"libra-notifier.service cannot be loaded (error) | systemd-analyze verify libra-notifier.service says why; after the correction: systemctl daemon-reload",
		"libra-watchdog.service has failed | journalctl -u libra-watchdog.service says more; systemctl start libra-watchdog.service",
		"1 are active | ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// With the bus down, the appliance does not know why: the status names what this
// machine's systemd has, and nothing that the appliance says itself.
func TestStatusNamesWhyTheBusIsDown(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status": "UNKNOWN", "components": [{"component": "libra-recorder", "state": "down", "status": "libra-recorder.service has failed"},
			{"component": "libra-inspector", "instance": "1", "state": "down", "status": "libra-inspector@1.service has failed"}]}`)
	}))
	t.Cleanup(s.Close)
	systemctl(t, `Id=libra-bus.service
LoadState=loaded
ActiveState=failed
SubState=failed
StatusText=cannot start: invalid LIBRA_BUS_LISTEN "x": must be an address

Id=libra-web.service
LoadState=loaded
ActiveState=active
SubState=running
StatusText=cannot be read now

Id=libra-recorder.service
LoadState=loaded
ActiveState=failed
SubState=failed
StatusText=cannot start: invalid LIBRA_DATABASE

Id=libra-inspector@1.service
LoadState=loaded
ActiveState=failed
SubState=failed
StatusText=cannot start: no memory for one

Id=libra-inspector@2.service
LoadState=loaded
ActiveState=activating
SubState=auto-restart
StatusText=cannot start: no memory for two

Id=libra-notifier.service
LoadState=loaded
ActiveState=inactive
SubState=dead
StatusText=cannot start: long ago
`)
	_, out, errs := libra(t, "status", "--server", s.URL)
	want := "\n\ncause: libra-bus.service has failed: cannot start: invalid LIBRA_BUS_LISTEN \"x\": must be an address\n" +
		"\ncause: libra-inspector@2.service has ended and is started again: cannot start: no memory for two\n"
	if !strings.HasSuffix(out, want) || strings.Count(out, "cause:") != 2 {
		t.Errorf("want %q, got\n%s%s", want, out, errs)
	}
}
