package cli_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// With the bus down, the appliance does not know why: the status names what this
// machine's systemd has, and nothing that the appliance says itself.
func TestStatusNamesWhyTheBusIsDown(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"status": "UNKNOWN", "components": [{"component": "libra-recorder", "state": "down", "status": "libra-recorder.service has failed"}]}`)
	}))
	t.Cleanup(s.Close)
	bin := t.TempDir()
	systemctl := `#!/bin/sh
cat <<'END'
Id=libra-bus.service
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
END
`
	if err := os.WriteFile(filepath.Join(bin, "systemctl"), []byte(systemctl), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	_, out, errs := libra(t, "status", "--server", s.URL)
	want := "\n\ncause: libra-bus.service is failed (failed): cannot start: invalid LIBRA_BUS_LISTEN \"x\": must be an address\n"
	if !strings.HasSuffix(out, want) || strings.Count(out, "cause:") != 1 {
		t.Errorf("want %q, got\n%s%s", want, out, errs)
	}
}
