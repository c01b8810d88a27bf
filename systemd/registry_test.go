package systemd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"libra/pkg/component"
)

// notComponents are units of Libra that run no process on the bus.
var notComponents = []string{"libra-keys", "libra-retry@", "libra-started"}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every file that lists the components has all of the registry, and nothing
// else. To add a component, add it to pkg/component/component.go; each failure
// then names a file and what to put there.
func TestFilesKnowEveryComponent(t *testing.T) {
	all := units(t)
	for _, c := range component.All() {
		missing := func(file, what string) { t.Errorf("%s: %s: add %s", c.Name, file, what) }
		if unit, ok := all[strings.TrimSuffix(c.UnitFile(), ".service")]; !ok {
			missing("systemd/"+c.UnitFile(), "this file; systemd/libra-recorder.service is an example")
		} else {
			checkUnit(t, c, unit)
		}
		main := filepath.Join("cmd", c.Name, "main.go")
		if text, err := os.ReadFile(filepath.Join("..", main)); err != nil {
			missing(main, "this file; cmd/libra-recorder/main.go is an example")
		} else if want := fmt.Sprintf("Name: %q", c.Name); !strings.Contains(string(text), want) {
			missing(main, want+" to its daemon.Program")
		}
		if !c.Root && !slices.Contains(sysusers(t, "u"), c.Name) {
			missing("systemd/sysusers.conf", fmt.Sprintf("the line u %s - %q", c.Name, "Libra "+c.Role))
		}
		if c.Readers != "" && !slices.Contains(sysusers(t, "g"), c.Readers) {
			missing("systemd/sysusers.conf", "the line g "+c.Readers+" -")
		}
		name := strings.TrimSuffix(c.UnitFile(), ".service")
		if !strings.Contains(readText(t, "../docs/architecture.md"), "\n| `"+name+"` |") {
			missing("docs/architecture.md", "a row that begins with | `"+name+"` | to the table under The processes")
		}
	}
	for _, user := range sysusers(t, "u") {
		if c, ok := component.Find(user); !ok || c.Root {
			t.Errorf("systemd/sysusers.conf: user %s is of no component: remove it, or add the component to pkg/component/component.go", user)
		}
	}
	for name := range all {
		c, ok := component.Find(strings.TrimSuffix(name, "@"))
		if !slices.Contains(notComponents, name) && (!ok || c.UnitFile() != name+".service") {
			t.Errorf("systemd/%s.service: no such unit in the registry: add it to pkg/component/component.go, or remove the file", name)
		}
	}
}

// sysusers lists what sysusers.conf has of a type: "u" for users, "g" for groups.
func sysusers(t *testing.T, kind string) (names []string) {
	t.Helper()
	for line := range strings.Lines(readText(t, "sysusers.conf")) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == kind {
			names = append(names, f[1])
		}
	}
	return names
}

// The table under The units of docs/operations.md has a row for each unit and for
// libra.target, and no other.
func TestTableOfUnitsHasEveryUnit(t *testing.T) {
	want := []string{"libra.target", "libra-keys", "libra-retry@UNIT", "libra-started"}
	for _, c := range component.All() {
		want = append(want, c.Units()[0])
	}
	_, rest, _ := strings.Cut(readText(t, "../docs/operations.md"), "\n## The units\n")
	table, _, _ := strings.Cut(rest, "\n## ")
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(table, -1) {
		got = append(got, m[1])
	}
	for _, unit := range want {
		if !slices.Contains(got, unit) {
			t.Errorf("docs/operations.md: add a row that begins with | `%s` to the table under The units", unit)
		}
	}
	for _, unit := range got {
		if !slices.Contains(want, unit) {
			t.Errorf("docs/operations.md: remove the row of %s from the table under The units", unit)
		}
	}
}

// A group of sysusers.conf is what two units share: one creates its files with the
// group, others are members of it.
func TestGroupsHaveAnOwnerAndMembers(t *testing.T) {
	all := units(t)
	for _, group := range sysusers(t, "g") {
		var owners, members []string
		for name, unit := range all {
			if value(unit, "Group") == group {
				owners = append(owners, name)
			}
			if slices.Contains(strings.Fields(value(unit, "SupplementaryGroups")), group) {
				members = append(members, name)
			}
		}
		if len(owners) != 1 || len(members) == 0 {
			t.Errorf("systemd/sysusers.conf: group %s: units with Group= are %q, units with SupplementaryGroups= are %q; want one, and one or more", group, owners, members)
		}
	}
	for name, unit := range all {
		for _, group := range strings.Fields(value(unit, "Group") + " " + value(unit, "SupplementaryGroups")) {
			if !slices.Contains(sysusers(t, "g"), group) && group != "systemd-journal" { // systemd's own
				t.Errorf("systemd/%s.service: group %s is not in systemd/sysusers.conf", name, group)
			}
		}
	}
}

// checkUnit compares a unit with its row of the registry.
func checkUnit(t *testing.T, c component.Component, unit string) {
	t.Helper()
	state := ""
	if c.State != "" {
		state = "libra/" + c.State
	}
	user := c.Name
	if c.Root {
		user = ""
	}
	for key, want := range map[string]string{
		"User":           user,
		"StateDirectory": state,
		"LoadCredential": "nkey:/var/lib/libra/keys/" + c.Role + ".nk",
	} {
		if got := value(unit, key); got != want {
			t.Errorf("%s: systemd/%s: %s is %q, the registry says %q", c.Name, c.UnitFile(), key, got, want)
		}
	}
	if group := value(unit, "Group"); c.Readers != "" && group != c.Readers {
		t.Errorf("%s: systemd/%s: Group is %q, the registry says that %q reads %q", c.Name, c.UnitFile(), group, c.Readers, c.State)
	}
	if want := "\nExecStart=/opt/libra/bin/" + c.Name + " "; !strings.Contains(unit, want) {
		t.Errorf("%s: systemd/%s: add %s", c.Name, c.UnitFile(), strings.TrimSpace(want))
	}
}

// started is the unit that fails where a component has not started.
const started = "libra-started.service"

// libra.target starts the required components and the socket of libra-web, and
// then checks that they have started.
func TestTargetStartsTheRequiredComponents(t *testing.T) {
	target := readText(t, "libra.target")
	want := []string{"libra-web.socket"}
	for _, c := range component.Required() {
		for _, unit := range c.Units() {
			want = append(want, unit+".service")
		}
	}
	if got := value(target, "Requires"); got != started {
		t.Errorf("systemd/libra.target: Requires= is %q, want %s, which fails where a component has not started", got, started)
	}
	if got, all := value(target, "After"), value(readText(t, started), "After")+" "+started; got != all {
		t.Errorf("systemd/libra.target is ordered after %s\nwant what %s is ordered after, and that unit: %s", got, started, all)
	}
	for _, key := range []string{"Wants", "After"} {
		got := slices.DeleteFunc(strings.Fields(value(target, key)), func(unit string) bool { return unit == started })
		for _, unit := range want {
			if !slices.Contains(got, unit) {
				t.Errorf("systemd/libra.target: add %s to %s=", unit, key)
			}
		}
		for _, unit := range got {
			if !slices.Contains(want, unit) {
				t.Errorf("systemd/libra.target: remove %s from %s=, or add it to pkg/component/component.go", unit, key)
			}
		}
	}
}

// The Makefile builds what is in cmd/, and scripts/release, install and uninstall take
// programs and units by pattern: no list of components is there to be forgotten.
func TestScriptsTakeComponentsByPattern(t *testing.T) {
	for file, patterns := range map[string][]string{
		"../Makefile":          {"PROGRAMS := $(notdir $(wildcard cmd/libra*))\n"},
		"../scripts/release":   {`install "$bin"/* `, "install -m 644 systemd/*.service systemd/*.socket systemd/*.target ", "systemd/sysusers.conf "},
		"../scripts/install":   {"scripts/release ", `cp -r "$opt"/current/units/. `, "systemd/sysusers.conf "},
		"../scripts/uninstall": {"rm -rf \"$root\"/opt/libra ", "libra{.target,-*.service,-web.socket,-.service.d}"},
	} {
		text := readText(t, file)
		for _, pattern := range patterns {
			if !strings.Contains(text, pattern) {
				t.Errorf("%s: want %q, which takes every component", strings.TrimPrefix(file, "../"), pattern)
			}
		}
		for _, c := range component.All() {
			if strings.Contains(text, c.Name+".service") || strings.Contains(text, " "+c.Name+" ") {
				t.Errorf("%s names %s: take components by pattern", strings.TrimPrefix(file, "../"), c.Name)
			}
		}
	}
}
