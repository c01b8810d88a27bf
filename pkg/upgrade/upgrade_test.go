// The steps themselves are tested on the real units, see systemd/faults.
package upgrade_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"libra/pkg/component"
	"libra/pkg/upgrade"
)

// More errors than before are an error, unless they are few or usual. A counter that begins
// again, because its process was restarted, counts from 0.
func TestErrorsRise(t *testing.T) {
	type counts = upgrade.Counts
	for name, c := range map[string]struct {
		usual, from, now counts
		want             string
	}{
		"nothing":             {},
		"no errors":           {now: counts{Answers: 1000, Pages: 50}},
		"two errors":          {now: counts{Answers: 100, Failed: 2}},
		"errors":              {now: counts{Answers: 100, Failed: 3}, want: "3 of 100 answers are errors, 0 of 0 before"},
		"a small share":       {now: counts{Answers: 1000, Failed: 9}},
		"usual errors":        {usual: counts{Answers: 100, Failed: 20}, now: counts{Answers: 100, Failed: 20}},
		"errors before":       {from: counts{Answers: 100, Failed: 50}, now: counts{Answers: 200, Failed: 50}},
		"counted again":       {from: counts{Answers: 100, Failed: 50}, now: counts{Answers: 10, Failed: 9}, want: "9 of 10 answers"},
		"hosts do not answer": {now: counts{Pages: 10, Silent: 6}, want: "6 of 10 inspected pages give no answer"},
		"some of them do":     {now: counts{Pages: 20, Silent: 8}},
		"they never did":      {usual: counts{Pages: 5, Silent: 5}, now: counts{Pages: 10, Silent: 10}},
		"refused messages":    {now: counts{Refused: 3}, want: "3 messages of the bus are refused, 0 before"},
		"usually refused":     {usual: counts{Refused: 2}, now: counts{Refused: 4}},
	} {
		err := upgrade.Rise(c.usual, c.from, c.now)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Answers with 5xx are errors, except 503, by which libra-web asks to try again, and except
// those of /up, which are about something else.
func TestAnswersAreCounted(t *testing.T) {
	answers, failed, err := upgrade.Answers(strings.NewReader(`# TYPE libra_web_requests_total counter
libra_web_requests_total{code="200",route="/api/pages/{id}"} 1234
libra_web_requests_total{code="404",route="/api/pages/{id}"} 6
libra_web_requests_total{code="500",route="/api/pages/{id}"} 3
libra_web_requests_total{code="502",route="/"} 1.0e+01
libra_web_requests_total{code="503",route="/api/pages"} 40
libra_web_requests_total{code="500",route="/up"} 99
libra_web_state_bytes{part="pages"} 500
`))
	if answers != 1234+6+3+10+40 || failed != 13 || err != nil {
		t.Errorf("%d answers, %d errors, %v", answers, failed, err)
	}
	if _, _, err := upgrade.Answers(strings.NewReader("libra_web_requests_total{code=\"200\",route=\"/\"} many\n")); err == nil {
		t.Error("a line without a number is accepted")
	}
}

// There is a way back where the release before can use the history after the new one has.
func TestWayBack(t *testing.T) {
	schema := func(level, least int) *component.Schema { return &component.Schema{Level: level, Least: least} }
	for name, c := range map[string]struct {
		level, least int
		old, to      *component.Schema
		oneWay       bool
		want         error
		say          string
	}{
		"the same":                               {7, 7, schema(7, 7), schema(7, 7), false, nil, "stays as it is (level 7)"},
		"more, and compatible":                   {7, 7, schema(7, 7), schema(9, 7), false, nil, "from level 7 to 9: old can use it"},
		"more, and incompatible":                 {7, 7, schema(7, 7), schema(8, 8), false, upgrade.ErrOneWay, ""},
		"all the same":                           {7, 7, schema(7, 7), schema(8, 8), true, nil, "no way back"},
		"of a version that knows no schema":      {7, 7, nil, schema(8, 7), false, upgrade.ErrOneWay, ""},
		"to a version that knows no schema":      {7, 7, schema(8, 7), nil, false, nil, "stays as it is"},
		"back, to one that can use it":           {9, 7, schema(9, 7), schema(7, 7), false, nil, "stays as it is (level 9)"},
		"back, to one that cannot":               {9, 8, schema(9, 8), schema(7, 7), false, upgrade.ErrRefused, ""},
		"back, to one that cannot, all the same": {9, 8, schema(9, 8), nil, true, upgrade.ErrRefused, ""},
		"without a history":                      {0, 0, schema(7, 7), schema(8, 7), false, nil, "from level 0 to 8"},
	} {
		var said []string
		err := upgrade.WayBack(t.Context(), upgrade.Config{
			OneWay:  c.oneWay,
			Say:     func(text string) { said = append(said, text) },
			Check:   func(context.Context, string) (*component.Schema, []string) { return c.old, []string{"it has faults"} },
			History: func(context.Context) (int, int, error) { return c.level, c.least, nil },
		}, c.to)
		if !errors.Is(err, c.want) || !strings.Contains(strings.Join(said, " "), c.say) {
			t.Errorf("%s: %v, want %v; said %q, want %q", name, err, c.want, said, c.say)
		}
	}
}
