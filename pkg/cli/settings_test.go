package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/configs"
	"libra/pkg/cli"
)

// Doctor reads a file of settings as systemd does, and names what systemd ignores
// in it without a value, which may be a secret.
func TestDoctorReadsSettingsAsSystemdDoes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "libra.env")
	text := `# a comment \
LIBRA_WORKERS=4

; another \\
# and one \ 
export LIBRA_CACHE=secret
LIBRA_BASE_URL = "http://box.example:8080/\
libra"
secret
  https://hooks.example/T0/SECRET?x=1
LIBRA_WORKRES=\
5
PATH=/bin
LIBRA_WORKERS='7'
LIBRA_WORKERS=8"
LIBRA_PRUNE_AT=80\\
LIBRA_CACHE='a
\b' "c\"\d" e\ f \
  g  
LIBRA_MAIL\
LIBRA_SITE=\`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, _ := cli.SeeSettings(file, "")
	for i, seen := range list {
		list[i] = strings.ReplaceAll(seen, file, "FILE")
	}
	if diff := cmp.Diff([]string{
		`systemd ignores line 2 of FILE: the comment above it ends with \ (systemd 254 and later read it)`,
		`systemd ignores line 6 of FILE: invalid name "export LIBRA_CACHE"`,
		"systemd ignores line 9 of FILE: it has no =",
		"systemd ignores line 10 of FILE: invalid name before =",
		"unknown setting LIBRA_WORKRES in FILE",
		"systemd ignores line 20 of FILE: it has no =",
		fmt.Sprintf("FILE sets 5 of %d", len(configs.Settings())),
	}, list); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{
		"LIBRA_BASE_URL": "http://box.example:8080/libra", "LIBRA_WORKERS": `8"`, "LIBRA_PRUNE_AT": `80\`, "LIBRA_CACHE": "a\n\\bc\"\\de f   g", "LIBRA_SITE": "", "LIBRA_WORKRES": "5",
	} {
		if _, got := cli.SeeSettings(file, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}
