package libra_test

import (
	"testing"

	"libra/pkg/libra"
)

// TestAtLeast: a page whose scripts may fetch more, or were not looked at, weighs
// at least its totals.
func TestAtLeast(t *testing.T) {
	size := libra.Size{Requests: 2, TransferBytes: 560}
	plain := libra.Totals{Size: size}
	scripted := libra.Totals{Size: size, ByType: map[libra.ResourceType]libra.Size{libra.Script: {Requests: 1}}}
	for _, c := range []struct {
		name    string
		scripts *libra.Scripts
		more    bool
		totals  libra.Totals
		weight  string
		text    string
	}{
		{"no scripts", &libra.Scripts{}, false, plain, "560 B", ""},
		{"one calm script", &libra.Scripts{Count: 1, Bytes: 83}, false, plain, "560 B", "1 script was not executed (83 B decoded): nothing in it makes requests"},
		{"calm scripts", &libra.Scripts{Count: 2, Bytes: 1500}, false, scripted, "560 B", "2 scripts were not executed (1.5 kB decoded): nothing in them makes requests"},
		{"a script that fetches", &libra.Scripts{Count: 1, Bytes: 83}, true, plain, "at least 560 B", "1 script was not executed (83 B decoded): it may fetch more"},
		{
			"third-party scripts", &libra.Scripts{Count: 3, Bytes: 4000, ThirdParty: 1, ThirdPartyBytes: 2500}, true, scripted, "at least 560 B",
			"3 scripts were not executed (4.0 kB decoded, 1 third-party with 2.5 kB): they may fetch more",
		},
		{"a handler", &libra.Scripts{}, true, plain, "at least 560 B", "Scripts that are not known, or event handlers, may fetch more"},
		{"an old report", nil, false, plain, "560 B", ""},
		{"an old report with scripts", nil, false, scripted, "at least 560 B", "Scripts were not executed: an older version of Libra did not look whether they may fetch more"},
	} {
		r := libra.Report{ScriptsNotExecuted: c.scripts, MayFetchMore: c.more, Totals: c.totals}
		if r.Weight() != c.weight || r.ScriptsText() != c.text || r.AtLeast() != (c.weight != "560 B") {
			t.Errorf("%s: %q, %q, at least: %v", c.name, r.Weight(), r.ScriptsText(), r.AtLeast())
		}
	}
}
