package state

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// docs/architecture.md says what each part may take.
func TestBoundsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "#### What libra-web keeps in memory")
	section, _, _ = strings.Cut(section, "\n### ")
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z]+)` \\| (\\d+) \\|").FindAllStringSubmatch(section, -1) {
		documented[row[1]] = row[2]
	}
	usage := newState(Bounds{}).Usage()
	for _, u := range usage {
		if want := fmt.Sprint(u.Bound / mb); documented[u.Part] != want {
			t.Errorf("%s: documented as %q MB, and it may take %s", u.Part, documented[u.Part], want)
		}
	}
	if len(documented) != len(usage) {
		t.Errorf("%d parts are documented, there are %d", len(documented), len(usage))
	}
}
