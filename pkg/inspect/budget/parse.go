package budget

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The largest values of a budget: more is a typing error.
const (
	maxKB    = 10_000_000 // 10 GB
	maxCount = 1_000_000
	maxShare = 1000 // percent
)

// Parse reads a budget file. file is its name, for errors. Every fault is
// named at once, each as an [*Error]; errors.Join joins them.
func Parse(file string, data []byte) ([]Budget, error) {
	root, r, err := read(file, data)
	if err != nil {
		return nil, err
	}
	p := &parser{r: r}
	if root.kind != "a list" {
		p.fault(root, "budgets are %s: write a list of budgets, [{…}]", root.kind)
		return nil, errors.Join(p.faults...)
	}
	if len(root.items) == 0 {
		p.fault(root, "the list has no budget: write at least one, such as {\"resourceSizes\": [{\"resourceType\": \"total\", \"budget\": 300}]}")
	}
	budgets := make([]Budget, 0, len(root.items))
	for _, n := range root.items {
		budgets = append(budgets, p.budget(n))
	}
	if len(p.faults) > 0 {
		return nil, errors.Join(p.faults...)
	}
	return budgets, nil
}

// parser collects faults instead of stopping at the first.
type parser struct {
	r      *reader
	faults []error
}

func (p *parser) fault(n node, format string, args ...any) {
	p.faults = append(p.faults, p.r.errorf(n.off, format, args...))
}

// keys of a budget, in the order in which errors list them.
var keys = []string{"path", "options", "resourceSizes", "resourceCounts", "maxDeltaVsLast"}

func (p *parser) budget(n node) Budget {
	b := Budget{Path: "/"}
	if n.kind != "an object" {
		p.fault(n, "a budget is %s: write an object with %s", n.kind, strings.Join(keys, ", "))
		return b
	}
	for _, m := range n.members {
		switch m.key {
		case "path":
			b.Path = p.path(m.value)
		case "options":
			b.FirstParty = p.options(m.value)
		case "resourceSizes":
			b.Sizes = p.lines(m, p.kilobytes)
		case "resourceCounts":
			b.Counts = p.lines(m, p.count)
		case "maxDeltaVsLast":
			b.Deltas = p.deltas(m)
		case "timings":
			p.fault(node{off: m.off}, "key \"timings\" is not supported, as Libra measures sizes and not times: remove it; allowed are %s", strings.Join(keys, ", "))
		default:
			p.fault(node{off: m.off}, "key %q is unknown: allowed are %s", m.key, strings.Join(keys, ", "))
		}
	}
	return b
}

func (p *parser) path(n node) string {
	s, ok := n.value.(string)
	if !ok {
		p.fault(n, "path is %s: write a string such as \"/blog/*\"", n.kind)
		return "/"
	}
	if wrong := checkPath(s); wrong != "" {
		p.fault(n, "%s", wrong)
	}
	return s
}

func (p *parser) options(n node) (hosts []string) {
	if n.kind != "an object" {
		p.fault(n, "options are %s: write an object with firstPartyHostnames", n.kind)
		return nil
	}
	for _, m := range n.members {
		switch {
		case m.key != "firstPartyHostnames":
			p.fault(node{off: m.off}, "key %q is unknown: allowed is firstPartyHostnames", m.key)
		case m.value.kind != "a list":
			p.fault(m.value, "firstPartyHostnames is %s: write a list of host names", m.value.kind)
		default:
			for _, item := range m.value.items {
				hosts = append(hosts, p.host(item))
			}
		}
	}
	return hosts
}

func (p *parser) host(n node) string {
	s, ok := n.value.(string)
	bare := strings.TrimPrefix(s, "*.")
	if !ok || bare == "" || strings.ContainsAny(bare, "*/:?#@ ") {
		p.fault(n, "invalid first-party host %v: write a host name such as \"example.org\" or \"*.example.org\"", shown(n))
	}
	return strings.ToLower(s)
}

// lines reads a list of {resourceType, budget}; amount reads the budget.
func (p *parser) lines(m member, amount func(node) Line) (lines []Line) {
	if m.value.kind != "a list" {
		p.fault(m.value, "%s is %s: write a list of {\"resourceType\": …, \"budget\": …}", m.key, m.value.kind)
		return nil
	}
	seen := map[string]bool{}
	for _, n := range m.value.items {
		l, ok := p.line(n, amount)
		if ok && seen[l.Type] {
			p.fault(n, "%s has resourceType %q twice: remove one", m.key, l.Type)
		}
		seen[l.Type] = true
		lines = append(lines, l)
	}
	return lines
}

func (p *parser) line(n node, amount func(node) Line) (l Line, ok bool) {
	if n.kind != "an object" {
		p.fault(n, "a line is %s: write {\"resourceType\": …, \"budget\": …}", n.kind)
		return l, false
	}
	var resource, hasBudget bool
	for _, m := range n.members {
		switch m.key {
		case "resourceType":
			resource = true
			l.Type, ok = m.value.value.(string)
			if ok = ok && slices.Contains(resourceTypes(), l.Type); !ok {
				p.fault(m.value, "resourceType %s is unknown: allowed are %s", shown(m.value), strings.Join(resourceTypes(), ", "))
			}
		case "budget":
			hasBudget = true
			a := amount(m.value)
			l.Max, l.Share, l.IsShare, l.Given = a.Max, a.Share, a.IsShare, a.Given
		default:
			p.fault(node{off: m.off}, "key %q is unknown: allowed are resourceType and budget", m.key)
		}
	}
	if !resource {
		p.fault(n, "the line has no resourceType: write one of %s", strings.Join(resourceTypes(), ", "))
	}
	if !hasBudget {
		p.fault(n, "the line has no budget: write a number")
	}
	return l, ok
}

func (p *parser) kilobytes(n node) Line {
	f, ok := number(n)
	if !ok || f < 0 || f > maxKB {
		p.fault(n, "invalid size %s: write a number of KB from 0 to %d", shown(n), maxKB)
		return Line{}
	}
	return size(f)
}

// size turns the file's KB into bytes.
func size(kb float64) Line {
	return Line{Max: int64(math.Round(kb * 1024)), Given: strconv.FormatFloat(kb, 'f', -1, 64) + " KB"}
}

func (p *parser) count(n node) Line {
	f, ok := number(n)
	if !ok || f < 0 || f > maxCount || f != math.Trunc(f) {
		p.fault(n, "invalid count %s: write a whole number of requests from 0 to %d", shown(n), maxCount)
		return Line{}
	}
	return Line{Max: int64(f)}
}

// deltas reads a list of lines, or one amount for the total.
func (p *parser) deltas(m member) []Line {
	if m.value.kind == "a list" {
		return p.lines(m, p.growth)
	}
	l := p.growth(m.value)
	l.Type = Total
	return []Line{l}
}

func (p *parser) growth(n node) Line {
	s, isString := n.value.(string)
	if !isString {
		f, ok := number(n)
		if !ok || f < 0 || f > maxKB {
			p.fault(n, "invalid growth %s: write a number of KB from 0 to %d, or a share such as \"5%%\"", shown(n), maxKB)
		}
		return size(f)
	}
	digits, percent := strings.CutSuffix(s, "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !percent || err != nil || math.IsNaN(f) || f < 0 || f > maxShare {
		p.fault(n, "invalid growth %s: write a share from \"0%%\" to \"%d%%\", or a number of KB", shown(n), maxShare)
		return Line{}
	}
	return Line{Share: int64(math.Round(f * 10)), IsShare: true, Given: strconv.FormatFloat(f, 'f', -1, 64) + "%"}
}

func number(n node) (float64, bool) {
	v, ok := n.value.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := v.Float64()
	return f, err == nil
}

// shown is a value for an error message.
func shown(n node) string {
	switch v := n.value.(type) {
	case string:
		if len(v) > 40 {
			v = strings.ToValidUTF8(v[:40], "") + "…"
		}
		return strconv.Quote(v)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return n.kind
}
