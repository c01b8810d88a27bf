package daemon_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/component"
	"libra/pkg/daemon"
)

// --check --json prints one document on standard output, also under journald and
// for mistakes in the flags, and has the exit code of --check.
func TestCheckAsJSON(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "8:1")
	tolerable := daemon.Tolerable(errors.New("\"x\"\nis gone"))
	for _, c := range []struct {
		name string
		args []string
		find []error
		code int
		want []component.CheckFault
	}{
		{"no fault", nil, nil, 0, []component.CheckFault{}},
		{"tolerable", nil, []error{tolerable}, 0, []component.CheckFault{{Text: `"x" is gone`, Tolerable: true}}},
		{"both", nil, []error{tolerable, errors.New("line 5")}, 2, []component.CheckFault{{Text: `"x" is gone`, Tolerable: true}, {Text: "line 5", ReloadOnly: true}}},
		{"flag", []string{"--bus-listen"}, nil, 2, []component.CheckFault{{Text: "unknown flag --bus-listen: see libra-test --help"}}},
		{"value", []string{"--port"}, nil, 2, []component.CheckFault{{Text: "flag --port needs a value: see libra-test --help"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := daemon.Program{Name: "libra-test", Settings: []daemon.Setting{{Name: "port", Into: daemon.Text(new(string))}}, Examine: func() []error { return c.find }}
			var out, errs bytes.Buffer
			code := p.Main(t.Context(), append([]string{p.Name, "--check", "--json"}, c.args...), &out, &errs)
			var got component.Check
			if err := json.Unmarshal(out.Bytes(), &got); err != nil || code != c.code || errs.Len() > 0 {
				t.Fatalf("exit code %d, %v, printed %q and %q", code, err, out.String(), errs.String())
			}
			if diff := cmp.Diff(component.Check{Component: "libra-test", Version: daemon.Version, Faults: c.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
