package component_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/component"
)

var roleName = regexp.MustCompile(`^[a-z][a-z0-9]*$`)

func TestNamesAreUniqueAndFitForUnitsAndSubjects(t *testing.T) {
	seen := map[string]string{}
	for _, c := range component.All() {
		if c.Name != "libra-"+c.Role || !roleName.MatchString(c.Role) {
			t.Errorf("name %q and role %q: want libra-ROLE, the role in small letters and digits", c.Name, c.Role)
		}
		for _, taken := range []string{"name " + c.Name, "role " + c.Role, "state " + c.State} {
			if other := seen[taken]; other != "" && taken != "state " {
				t.Errorf("%s and %s share the %s", other, c.Name, taken)
			}
			seen[taken] = c.Name
		}
		if c.Readers != "" && c.State == "" {
			t.Errorf("%s has readers of no folder", c.Name)
		}
		if found, ok := component.Find(c.Name); !ok || found != c {
			t.Errorf("Find(%q): %+v, %v", c.Name, found, ok)
		}
	}
	if _, ok := component.Find("libra-none"); ok {
		t.Error("found what is not registered")
	}
}

func TestUnits(t *testing.T) {
	one, many := component.Component{Name: "libra-a"}, component.Component{Name: "libra-b", Instances: 2}
	if diff := cmp.Diff([]string{"libra-a.service", "libra-b@.service"}, []string{one.UnitFile(), many.UnitFile()}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"libra-a", "libra-b@1", "libra-b@2"}, append(one.Units(), many.Units()...)); diff != "" {
		t.Error(diff)
	}
}

func TestUpgradeOrderHasEveryRequiredComponentOnce(t *testing.T) {
	byName := func(list []component.Component) []component.Component {
		return slices.SortedFunc(slices.Values(list), func(a, b component.Component) int { return strings.Compare(a.Name, b.Name) })
	}
	if diff := cmp.Diff(byName(component.Required()), byName(component.UpgradeOrder())); diff != "" {
		t.Error(diff)
	}
}
