package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every subject of the bus and every call that changes something has a row under
// "Delivery", and the tests that rows name exist.
func TestDelivery(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Delivery\n")
	delivery, _, _ := strings.Cut(rest, "\n## ")
	_, rest, _ = strings.Cut(string(text), "\n## The bus\n")
	bus, _, _ := strings.Cut(rest, "\n## ")
	if delivery == "" || bus == "" {
		t.Fatal("architecture.md has no section of that name")
	}
	subjects := regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(bus, -1)
	if len(subjects) < 10 {
		t.Errorf("the table of the bus has %d subjects", len(subjects))
	}
	for _, s := range subjects {
		if !strings.Contains(delivery, s[1]) {
			t.Errorf("subject %s has no row", s[1])
		}
	}
	for file, least := range map[string]int{"../pkg/web/routes.go": 5, "../pkg/notifier/socket.go": 1} {
		routes, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		calls := regexp.MustCompile(`"((?:POST|PUT|PATCH|DELETE) /(?:api/[^"]*|alarm))"`).FindAllStringSubmatch(string(routes), -1)
		if len(calls) < least {
			t.Errorf("%s has %d calls that change something", file, len(calls))
		}
		for _, c := range calls {
			if !strings.Contains(delivery, "`"+c[1]+"`") {
				t.Errorf("the call %s has no row", c[1])
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| .*\\| (.*`Test.*) \\|$").FindAllStringSubmatch(delivery, -1) {
		for _, where := range testsOf.FindAllStringSubmatch(row[1], -1) {
			for _, name := range regexp.MustCompile(`Test\w+`).FindAllString(where[1], -1) {
				if !hasTest(t, where[2], name) {
					t.Errorf("%s has no test %s", where[2], name)
				}
			}
		}
	}
}

// testsOf finds "`TestA`, `TestB` in pkg/c" in a cell.
var testsOf = regexp.MustCompile("((?:`Test[A-Za-z0-9]+`, )*`Test[A-Za-z0-9]+`) in ([a-z/]+)")

func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
