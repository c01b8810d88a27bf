package broker

import (
	"testing"

	"libra/pkg/component"
)

// Every component of the registry has permissions, and no other does.
func TestRolesAreThoseOfTheRegistry(t *testing.T) {
	registered := map[string]bool{}
	for _, c := range component.All() {
		registered[c.Role] = true
		if _, ok := roles[c.Role]; !ok {
			t.Errorf("pkg/broker/roles.go: add %q to roles, with what %s publishes and subscribes to", c.Role, c.Name)
		}
	}
	for role := range roles {
		if !registered[role] {
			t.Errorf("pkg/broker/roles.go: remove %q from roles, or add its component to pkg/component/component.go", role)
		}
	}
}

// A message reaches the bus once: no subject of a role is imported twice into its account.
func TestNoSubjectTwice(t *testing.T) {
	for _, c := range component.All() {
		if c.Role == "bus" {
			continue // it has no account of its own
		}
		list := roles[c.Role].mayPublish(c)
		for i, p := range list {
			for j, q := range list {
				if i != j && covers(p, q) {
					t.Errorf("%s: %q is in %q", c.Role, q, p)
				}
			}
		}
	}
}
