package watchdog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/component"
	"libra/pkg/watchdog"
)

// Every required component of the registry is expected, as many inspectors as
// are set, and the watchdog itself is not.
func TestExpectedIsTheRegistry(t *testing.T) {
	for _, inspectors := range []int{0, 3} {
		want := map[string]int{}
		for _, c := range component.Required() {
			want[c.Name] = max(c.Instances, 1)
		}
		want[component.Inspector] = inspectors
		delete(want, component.Watchdog)
		if inspectors == 0 {
			delete(want, component.Inspector)
		}
		got := map[string]int{}
		for _, target := range watchdog.Expected(inspectors) {
			got[target.Component]++
			if c, ok := component.Find(target.Component); !ok || (c.Instances > 0) != (target.Instance != "") {
				t.Errorf("%+v: an instance is named where the unit is a template, and only there", target)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d inspectors (-registry +expected):\n%s", inspectors, diff)
		}
	}
}
