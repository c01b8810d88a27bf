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

; another
export LIBRA_CACHE=secret
LIBRA_BASE_URL = "http://box.example:8080/\
libra"
secret
LIBRA_WORKRES=\
5
LIBRA_WORKERS='8'
LIBRA_PRUNE_AT=80\`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list, base := cli.SeeSettings(file, "LIBRA_BASE_URL")
	for i, seen := range list {
		list[i] = strings.ReplaceAll(seen, file, "FILE")
	}
	if diff := cmp.Diff([]string{
		`systemd ignores line 2 of FILE: the comment above it ends with \ (systemd 254 and later read it)`,
		`systemd ignores line 5 of FILE: invalid name "export LIBRA_CACHE"`,
		"systemd ignores line 8 of FILE: it has no =",
		"unknown setting LIBRA_WORKRES in FILE",
		fmt.Sprintf("FILE sets 4 of %d", len(configs.Settings())),
	}, list); diff != "" {
		t.Error(diff)
	}
	if _, workers := cli.SeeSettings(file, "LIBRA_WORKERS"); base != "http://box.example:8080/libra" || workers != "8" {
		t.Errorf("LIBRA_BASE_URL %q, LIBRA_WORKERS %q", base, workers)
	}
}
