package configs_test

import (
	"strings"
	"testing"

	"libra/configs"
)

// The prefix that all settings have makes none of them more similar.
func TestSuggestIgnoresThePrefix(t *testing.T) {
	for name, want := range map[string]string{
		"LIBRA_FOO": "", "LIBRA_DEBUG": "", "LIBRA_LOG_LEVEL": "LIBRA_LOG",
		"LIBRA_WORKRES": "LIBRA_WORKERS", "LIBRA_CASHE": "LIBRA_CACHE", "LIBRA_ALOW": "LIBRA_ALLOW",
		"LIBRA_TIMEOUT": "LIBRA_PAGE_TIMEOUT", "LIBRA_BUS_STOR": "LIBRA_BUS_STORE",
	} {
		got := configs.Suggest(name)
		if want == "" && strings.Contains(got, "did you mean") || want != "" && !strings.Contains(got, "did you mean "+want+"?") {
			t.Errorf("%s: %s, want %q", name, got, want)
		}
	}
}
