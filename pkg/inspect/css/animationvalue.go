package css

import (
	"slices"
	"strings"
)

// timeList reads times, in seconds.
func timeList(ns []node, _ string) (*value, bool) {
	v := &value{}
	for _, part := range split(ns, atComma) {
		if len(part) == 1 && part[0].isIdent("auto") {
			v.times = append(v.times, 0)
			continue
		}
		t, ok := seconds(part)
		if !ok {
			return nil, false
		}
		v.times = append(v.times, t)
	}
	return v, true
}

func seconds(ns []node) (float64, bool) {
	if len(ns) != 1 || ns[0].kind != dimension {
		return 0, false
	}
	switch strings.ToLower(ns[0].value) {
	case "s":
		return ns[0].num, true
	case "ms":
		return ns[0].num / 1000, true
	}
	return 0, false
}

var animationWords = set(`ease ease-in ease-out ease-in-out linear step-start step-end infinite normal reverse
	alternate alternate-reverse none forwards backwards both running paused auto`)

// animationShorthand finds per animation its name, which is no time, count or
// keyword, its duration and delay, and whether it runs.
func animationShorthand(ns []node, _ string) ([]setting, bool) {
	names, durations, delays, states := &value{}, &value{}, &value{}, &value{}
	for _, part := range split(ns, atComma) {
		name, state := "", "running"
		var times []float64
		for _, n := range words(part) {
			switch {
			case n.isIdent("paused"):
				state = "paused"
			case n.kind == str, n.kind == ident && !animationWords[strings.ToLower(n.value)]:
				if name != "" {
					return nil, false
				}
				name = n.value
			case n.kind == dimension:
				t, ok := seconds([]node{n})
				if !ok {
					return nil, false
				}
				times = append(times, t)
			case n.kind == ident, n.kind == number, n.kind == function:
			default:
				return nil, false
			}
		}
		times = append(times, 0, 0)
		names.words = append(names.words, name)
		states.words = append(states.words, state)
		durations.times = append(durations.times, times[0])
		delays.times = append(delays.times, times[1])
	}
	return []setting{
		{animationName, names},
		{animationDuration, durations},
		{animationDelay, delays},
		{animationState, states},
	}, true
}

// wordList reads identifiers, case kept.
func wordList(ns []node, _ string) (*value, bool) {
	v := &value{}
	for _, n := range words(ns) {
		if n.kind != ident {
			return nil, false
		}
		v.words = append(v.words, n.value)
	}
	return v, true
}

// containerShorthand reads names [/ type].
func containerShorthand(ns []node, base string) ([]setting, bool) {
	parts := split(ns, atSlash)
	names, ok := wordList(parts[0], base)
	kind := &value{words: []string{"normal"}}
	if ok && len(parts) == 2 {
		kind, ok = wordList(parts[1], base)
	}
	return []setting{{containerType, kind}, {containerName, names}}, ok && len(parts) <= 2 &&
		!slices.Contains(names.words, "none")
}
