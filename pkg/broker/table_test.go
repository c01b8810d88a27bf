package broker

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The bus's table in docs/architecture.md and the permissions agree: who publishes
// or asks on a subject may, and nobody else; who consumes may read it.
func TestTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(libra\\.[^`]+)` \\| ([^|]*) \\| [^|]* \\| ([^|]*) \\| ([^|]*) \\|$").FindAllStringSubmatch(string(text), -1)
	listed := map[string]bool{} // patterns
	for _, row := range rows {
		subject, kind, from, to := row[1], row[2], row[3], row[4]
		for name, r := range roles {
			if name == "bus" || from == "all" {
				continue
			}
			named := names(from, name)
			if may := matches(r.publish, subject); may != named {
				t.Errorf("%s: %s may publish: %v, by the table: %v", subject, name, may, named)
			}
			reads := matches(r.maySubscribe(), subject)
			if _, stream, ok := strings.Cut(kind, "stream "); ok {
				stream, _, _ = strings.Cut(stream, ",")
				reads = reads || slices.ContainsFunc(r.publish, func(p string) bool {
					return strings.HasPrefix(p, "$JS.API.DIRECT.GET."+stream) || strings.HasPrefix(p, "$JS.API.CONSUMER.MSG.NEXT."+stream+".")
				})
			}
			if names(to, name) && !reads {
				t.Errorf("%s: by the table %s consumes it, and may not", subject, name)
			}
		}
		listed[pattern(subject)] = true
	}
	if len(rows) == 0 {
		t.Fatal("docs/architecture.md has no table of the bus")
	}
	for name, r := range roles {
		for _, p := range slices.Concat(r.publish, r.maySubscribe()) {
			p = strings.NewReplacer(".*", "", ".>", "").Replace(p)
			if strings.HasPrefix(p, "libra.") && !listed[p] {
				t.Errorf("%s may use %s, which the table lacks", name, p)
			}
		}
	}
}

// names says whether a cell of the table names a role.
func names(cell, role string) bool {
	return regexp.MustCompile(`\b` + role + `\b`).MatchString(cell)
}

// pattern is the fixed beginning of a subject: "libra.report".
func pattern(subject string) string {
	fixed, _, _ := strings.Cut(subject, ".<")
	return fixed
}

func matches(list []string, subject string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return strings.NewReplacer(".*", "", ".>", "").Replace(p) == pattern(subject)
	})
}
