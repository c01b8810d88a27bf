package cli_test

import (
	"strings"
	"testing"

	"libra/pkg/cli"
)

// A size that libra-bus refuses is no limit.
func TestDoctorKnowsOnlyAValidSpace(t *testing.T) {
	store := t.TempDir()
	for space, want := range map[string]string{
		"64M":          "holds 0 B of at most 67.1 MB",
		"32m":          "holds 0 B of at most 33.6 MB",
		"64MiB":        "holds 0 B of at most 67.1 MB",
		"16M":          "how much it may is not known",
		"1GG":          "how much it may is not known",
		"99999999999G": "how much it may is not known",
		"-1G":          "how much it may is not known",
		"much":         "how much it may is not known",
	} {
		if got := cli.SeeBus(store, space); !strings.Contains(got, want) {
			t.Errorf("LIBRA_BUS_SPACE=%s: %q, want %q", space, got, want)
		}
	}
	if got := cli.SeeBus(store, ""); !strings.Contains(got, "holds 0 B of at most ") {
		t.Errorf("without LIBRA_BUS_SPACE: %q", got)
	}
}
