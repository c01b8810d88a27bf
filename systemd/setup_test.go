//go:build appliance

package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// setup disables the servers that its packages enable, but for those that were
// enabled before.
func TestSetupDisablesTheServersThatItInstalls(t *testing.T) {
	for _, c := range []struct {
		name, enabled string
		apt           string
		want          []string
	}{
		{"none before", "", "echo nginx.service prometheus.service >$HOME/enabled", []string{"nginx.service", "prometheus.service"}},
		{"nginx before", "nginx.service\n", "echo nginx.service prometheus.service >$HOME/enabled", []string{"prometheus.service"}},
		{"interrupted", "", "echo nginx.service >$HOME/enabled; exit 1", []string{"nginx.service"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			home := t.TempDir()
			write := func(name, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			write("enabled", c.enabled)
			write("go", "#!/bin/sh\necho go99.0\n")
			write("dpkg-query", "#!/bin/sh\nexit 1\n")
			write("id", "#!/bin/sh\necho 0\n")
			write("apt-get", "#!/bin/sh\ncase \"$*\" in *install*) "+c.apt+";; esac\n")
			write("systemctl", `#!/bin/sh
case "$*" in
*is-enabled*) grep -qw "$3" "$HOME/enabled" ;;
*disable*) echo "$3" >>"$HOME/disabled" ;;
esac
`)
			cmd := exec.Command("../scripts/setup")
			cmd.Env = []string{"HOME=" + home, "PATH=" + home + ":" + os.Getenv("PATH")}
			out, err := cmd.CombinedOutput()
			if failed := strings.Contains(c.apt, "exit 1"); (err != nil) != failed {
				t.Errorf("setup: %v\n%s", err, out)
			}
			disabled, _ := os.ReadFile(filepath.Join(home, "disabled"))
			if diff := cmp.Diff(c.want, strings.Fields(string(disabled))); diff != "" {
				t.Errorf("disabled units: %s\n%s", diff, out)
			}
		})
	}
}
