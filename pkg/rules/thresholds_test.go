package rules_test

import (
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"libra/configs"
	"libra/pkg/rules"
)

// Every threshold is in configs/alarms.toml, and another value there is
// read. TestShippedFile compares the values with the defaults.
func TestEveryThresholdIsRead(t *testing.T) {
	_, text, found := strings.Cut(string(configs.Alarms), "\n#[thresholds]\n")
	if !found {
		t.Fatal("configs/alarms.toml has no line #[thresholds]")
	}
	shown := regexp.MustCompile(`(?m)^#(\[|\w+ = )`).ReplaceAllString("#[thresholds]\n"+text, "$1")
	parse := func(text string) (leaves map[string]any) {
		t.Helper()
		f, err := rules.Parse("alarms.toml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		leaves = map[string]any{}
		collect(leaves, "Thresholds", reflect.ValueOf(f.Thresholds))
		return leaves
	}
	was, changed := parse(shown), parse(oneMore(shown))
	if len(was) < 20 {
		t.Fatalf("there are only %d thresholds", len(was))
	}
	for path, value := range was {
		if changed[path] == value {
			t.Errorf("%s: configs/alarms.toml does not have it, or its value there is not read", path)
		}
	}
}

// collect puts the numbers that v holds into leaves, by their path.
func collect(leaves map[string]any, path string, v reflect.Value) {
	if v.Kind() != reflect.Struct {
		leaves[path] = v.Interface()
		return
	}
	for i := range v.NumField() {
		collect(leaves, path+"."+v.Type().Field(i).Name, v.Field(i))
	}
}

// oneMore adds one to every number; what is off becomes long.
func oneMore(text string) string {
	text = strings.ReplaceAll(text, `"off"`, `"20d"`)
	return regexp.MustCompile(`(?m)^(\w+ = "?)(\d+)`).ReplaceAllStringFunc(text, func(line string) string {
		i := strings.LastIndexAny(line, ` "`) + 1
		n, err := strconv.Atoi(line[i:])
		if err != nil {
			return line
		}
		return line[:i] + strconv.Itoa(n+1)
	})
}
