package property

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// timeList reads times, in seconds.
func timeList(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	v := &Value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		if len(part) == 1 && part[0].IsIdent("auto") {
			v.Times = append(v.Times, 0)
			continue
		}
		t, ok := seconds(part)
		if !ok {
			return nil, false
		}
		v.Times = append(v.Times, t)
	}
	return v, true
}

func seconds(ns []syntax.Value) (float64, bool) {
	if len(ns) != 1 || ns[0].Kind != syntax.Dimension {
		return 0, false
	}
	switch strings.ToLower(ns[0].Text) {
	case "s":
		return ns[0].Num, true
	case "ms":
		return ns[0].Num / 1000, true
	}
	return 0, false
}

var animationWords = syntax.Keywords(`ease ease-in ease-out ease-in-out linear step-start step-end infinite normal reverse
	alternate alternate-reverse none forwards backwards both running paused auto`)

// animationShorthand finds per animation its name, which is no time, count or
// keyword, its duration and delay, and whether it runs.
func animationShorthand(ns []syntax.Value, _ markup.Base) ([]setting, bool) {
	names, durations, delays, states := &Value{}, &Value{}, &Value{}, &Value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		name, state := "", "running"
		var times []float64
		for _, n := range syntax.Fields(part) {
			switch {
			case n.IsIdent("paused"):
				state = "paused"
			case n.Kind == syntax.String, n.Kind == syntax.Ident && !animationWords[strings.ToLower(n.Text)]:
				if name != "" {
					return nil, false
				}
				name = n.Text
			case n.Kind == syntax.Dimension:
				t, ok := seconds([]syntax.Value{n})
				if !ok {
					return nil, false
				}
				times = append(times, t)
			case n.Kind == syntax.Ident, n.Kind == syntax.Number, n.Kind == syntax.Function:
			default:
				return nil, false
			}
		}
		times = append(times, 0, 0)
		names.Keywords = append(names.Keywords, name)
		states.Keywords = append(states.Keywords, state)
		durations.Times = append(durations.Times, times[0])
		delays.Times = append(delays.Times, times[1])
	}
	return []setting{
		{AnimationName, names},
		{AnimationDuration, durations},
		{AnimationDelay, delays},
		{AnimationPlayState, states},
	}, true
}

// wordList reads identifiers, case kept.
func wordList(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	v := &Value{}
	for _, n := range syntax.Fields(ns) {
		if n.Kind != syntax.Ident {
			return nil, false
		}
		v.Keywords = append(v.Keywords, n.Text)
	}
	return v, true
}

// containerShorthand reads names [/ type].
func containerShorthand(ns []syntax.Value, base markup.Base) ([]setting, bool) {
	parts := syntax.Split(ns, syntax.IsSlash)
	names, ok := wordList(parts[0], base)
	kind := &Value{Keywords: []string{"normal"}}
	if ok && len(parts) == 2 {
		kind, ok = wordList(parts[1], base)
	}
	return []setting{{ContainerType, kind}, {ContainerName, names}}, ok && len(parts) <= 2 &&
		!slices.Contains(names.Keywords, "none")
}
