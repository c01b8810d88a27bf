package watchdog_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
)

// Readings are written as letters: p pass, u unclear, and i w m M C a failure
// of that severity. What the readings do is written below them.
func TestTally(t *testing.T) {
	severities := map[rune]libra.Severity{'i': libra.Info, 'w': libra.Warning, 'm': libra.Minor, 'M': libra.Major, 'C': libra.Critical}
	letters := map[watchdog.Change]string{watchdog.Nothing: ".", watchdog.Raise: "R", watchdog.Worse: "W", watchdog.Ease: "E", watchdog.Clear: "C"}
	one := watchdog.Limits{Streak: rules.Streak{Raise: 1, Clear: 3}, Flap: rules.Flap{Raises: 3, Within: 100 * time.Second, Calm: 5}}
	three := one
	three.Raise = 3
	for _, c := range []struct {
		name, readings, want string
		limits               watchdog.Limits
		state                watchdog.State
	}{
		{"good from the start", "ppp", "...", one, watchdog.Good},
		{"bad from the start raises", "MMM", "R..", one, watchdog.Bad},
		{"bad from the start raises after three", "MMMM", "..R.", three, watchdog.Bad},
		{"one raise, one clear", "pMMMpppp", ".R....C.", one, watchdog.Good},
		{"three passes in a row clear", "pMppMpppM", ".R.....CR", one, watchdog.Bad},
		{"three failures in a row raise", "pMMpMMpMMM", ".........R", three, watchdog.Bad},
		{"nothing unclear raises", "uuuu", "....", one, watchdog.Unknown},
		{"nothing unclear clears", "pMuuuu", ".R....", one, watchdog.Bad},
		{"unclear breaks no row", "pMuMuM", ".....R", three, watchdog.Bad},
		{"unclear breaks no row of passes", "Mpupup", "R....C", one, watchdog.Good},
		{"worse at once", "mMC", "RWW", one, watchdog.Bad},
		{"eased after three in a row", "CmmCmmmm", "R.....E.", one, watchdog.Bad},
		{"two levels apart", "CMmm", "R..E", one, watchdog.Bad},
		{"third raise flaps and stays until calm", "MpppMpppMpppMppppp", "R..CR..CR........C", one, watchdog.Good},
	} {
		t.Run(c.name, func(t *testing.T) {
			tally, now := watchdog.Tally{State: watchdog.Unknown}, time.Unix(0, 0)
			var got strings.Builder
			for _, letter := range c.readings {
				r := watchdog.Reading{Verdict: watchdog.Fail, Severity: severities[letter]}
				switch letter {
				case 'p':
					r = watchdog.Reading{Verdict: watchdog.Pass}
				case 'u':
					r = watchdog.Reading{Verdict: watchdog.Unclear}
				}
				var change watchdog.Change
				tally, change = tally.Next(r, now, c.limits)
				got.WriteString(letters[change])
				now = now.Add(time.Second)
			}
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Errorf("readings %s (-want +got):\n%s", c.readings, diff)
			}
			if tally.State != c.state {
				t.Errorf("state %q, want %q", tally.State, c.state)
			}
		})
	}
}

// Raises that are further apart than the window are no flapping.
func TestTallySlowIsNotFlapping(t *testing.T) {
	limits := watchdog.Limits{Streak: rules.Streak{Raise: 1, Clear: 1}, Flap: rules.Flap{Raises: 2, Within: time.Minute, Calm: 100}}
	tally, now := watchdog.Tally{State: watchdog.Unknown}, time.Unix(0, 0)
	var changes []string
	for range 3 {
		for _, v := range []watchdog.Verdict{watchdog.Fail, watchdog.Pass} {
			var change watchdog.Change
			tally, change = tally.Next(watchdog.Reading{Verdict: v, Severity: libra.Major}, now, limits)
			changes = append(changes, string(change))
			now = now.Add(40 * time.Second)
		}
	}
	if diff := cmp.Diff("[raise clear raise clear raise clear]", fmt.Sprint(changes)); diff != "" {
		t.Error(diff)
	}
}

// Next leaves the tally that it is called on unchanged.
func TestNextLeavesTallyUnchanged(t *testing.T) {
	limits := watchdog.Limits{Streak: rules.Streak{Raise: 1, Clear: 1}, Flap: rules.Flap{Raises: 9, Within: time.Hour, Calm: 9}}
	was := watchdog.Tally{State: watchdog.Good, Raises: []time.Time{time.Unix(1, 0), time.Unix(2, 0)}}
	copied := was
	copied.Raises = append([]time.Time{}, was.Raises...)
	was.Next(watchdog.Reading{Verdict: watchdog.Fail, Severity: libra.Major}, time.Unix(7000, 0), limits)
	if diff := cmp.Diff(copied, was); diff != "" {
		t.Errorf("changed (-was +is):\n%s", diff)
	}
}
