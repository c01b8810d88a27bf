package rules

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file together with the lines of its keys, and what is
// wrong with it.
type document struct {
	name   string
	root   map[string]any
	lines  map[string]int // by path, as in "channel.1.url"
	faults []fault
}

type fault struct {
	line int
	text string
}

// parse reads the syntax. A fault of that is the only one it can name.
func parse(name string, data []byte) (*document, error) {
	d := &document{name: name, lines: map[string]int{}}
	if err := toml.Unmarshal(data, &d.root); err != nil {
		line := 1
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, _ = de.Position()
		}
		return nil, fmt.Errorf("%s:%d: invalid TOML: %s", name, line, strings.TrimPrefix(err.Error(), "toml: "))
	}
	d.locate(data)
	return d, nil
}

// locate notes the line of each key.
func (d *document) locate(data []byte) {
	var p unstable.Parser
	p.Reset(data)
	table := ""
	count := map[string]int{} // tables of an array so far
	for p.NextExpression() {
		e := p.Expression()
		path, line := "", 0
		for it := e.Key(); it.Next(); {
			part := it.Node()
			if line == 0 {
				line = p.Shape(part.Raw).Start.Line
			}
			path = join(path, string(part.Data))
			if e.Kind != unstable.KeyValue && count[path] > 0 && !it.IsLast() {
				path = join(path, strconv.Itoa(count[path]-1))
			}
		}
		switch e.Kind {
		case unstable.ArrayTable:
			count[path]++
			table = join(path, strconv.Itoa(count[path]-1))
			d.mark(table, line)
		case unstable.Table:
			table = path
			d.mark(table, line)
		case unstable.KeyValue:
			d.mark(join(table, path), line)
			d.inline(&p, join(table, path), e.Value())
		}
	}
}

// inline notes the keys of an inline table.
func (d *document) inline(p *unstable.Parser, path string, value *unstable.Node) {
	if value.Kind != unstable.InlineTable {
		return
	}
	for it := value.Children(); it.Next(); {
		node, below := it.Node(), path
		line := 0
		for key := node.Key(); key.Next(); {
			below = join(below, string(key.Node().Data))
			if line == 0 {
				line = p.Shape(key.Node().Raw).Start.Line
			}
		}
		d.mark(below, line)
		d.inline(p, below, node.Value())
	}
}

// mark notes a line for a path and for the tables above it that have none.
func (d *document) mark(path string, line int) {
	for path != "" {
		if _, ok := d.lines[path]; !ok {
			d.lines[path] = line
		}
		i := strings.LastIndexByte(path, '.')
		path = path[:max(i, 0)]
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// err is every fault, in the order of the file.
func (d *document) err() error {
	slices.SortStableFunc(d.faults, func(a, b fault) int { return a.line - b.line })
	var list []error
	for _, f := range d.faults {
		list = append(list, fmt.Errorf("%s:%d: %s", d.name, f.line, f.text))
	}
	return errors.Join(list...)
}

// section is one table. Reading a key of it makes the key an allowed one: finish
// blames all others.
type section struct {
	doc   *document
	path  string
	what  string // "a channel of type email"
	keys  map[string]any
	asked []string
}

func (d *document) section(path, what string, keys map[string]any) *section {
	return &section{doc: d, path: path, what: what, keys: keys}
}

// blame names a fault of a key, or of the table itself where there is no such
// key.
func (s *section) blame(key, format string, args ...any) {
	s.doc.faults = append(s.doc.faults, fault{s.doc.line(join(s.path, key)), fmt.Sprintf(format, args...)})
}

// line of a path, or of what is above it.
func (d *document) line(path string) int {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return line
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
	return 1
}

func (s *section) has(key string) bool { _, ok := s.keys[key]; return ok }

func (s *section) get(key string) (any, bool) {
	s.asked = append(s.asked, key)
	v, ok := s.keys[key]
	return v, ok
}

// finish blames the keys that were not read.
func (s *section) finish() {
	for _, key := range slices.Sorted(maps.Keys(s.keys)) {
		if !slices.Contains(s.asked, key) {
			s.blame(key, "unknown key %s in %s: use %s", key, s.what, strings.Join(s.asked, ", "))
		}
	}
}

// text takes a string that is not empty.
func (s *section) text(key string) string {
	v, ok := s.get(key)
	if !ok {
		return ""
	}
	t, ok := v.(string)
	if !ok || strings.TrimSpace(t) == "" {
		s.blame(key, "%s is %v: give a text in quotes", key, show(v))
		return ""
	}
	return t
}

// texts takes a list of strings, or one.
func (s *section) texts(key string) []string {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	if t, ok := v.(string); ok {
		v = []any{t}
	}
	list, ok := v.([]any)
	all := []string{}
	for _, item := range list {
		t, is := item.(string)
		if ok = ok && is && strings.TrimSpace(t) != ""; ok {
			all = append(all, t)
		}
	}
	if !ok {
		s.blame(key, "%s is %s: give a list of texts, such as [\"one\", \"two\"]", key, show(v))
	}
	return all
}

// choice takes one of some words.
func choice[T ~string](s *section, key string, allowed []T) T {
	v, ok := s.get(key)
	if !ok {
		return ""
	}
	if t, is := v.(string); is && slices.Contains(allowed, T(t)) {
		return T(t)
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	s.blame(key, "%s is %s: use one of %s", key, show(v), strings.Join(words, ", "))
	return ""
}

// duration takes a time such as "90s", from least to most, or "off" where zero
// is allowed.
func (s *section) duration(key string, into *time.Duration, least, most time.Duration, off bool) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	t, _ := v.(string)
	if off && t == "off" {
		*into = 0
		return
	}
	d, err := lasting(t)
	if err != nil || d < least || d > most {
		or := ""
		if off {
			or = `, or "off"`
		}
		s.blame(key, "%s is %s: give a time from %s to %s, such as \"90s\", \"5m\", \"4h\" or \"2d\"%s", key, show(v), span(least), span(most), or)
		return
	}
	*into = d
}

// lasting reads Go's durations, and whole days.
func lasting(t string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(t, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		return time.Duration(n) * 24 * time.Hour, err
	}
	return time.ParseDuration(t)
}

func span(d time.Duration) string {
	if day := 24 * time.Hour; d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if text == "" {
		return "0s"
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// count takes a whole number.
func (s *section) count(key string, into *int, least, most int) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	n, ok := v.(int64)
	if !ok || n < int64(least) || n > int64(most) {
		s.blame(key, "%s is %s: give a whole number from %d to %d", key, show(v), least, most)
		return
	}
	*into = int(n)
}

// number takes a number that may have a fraction.
func (s *section) number(key string, into *float64, least, most float64) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	f, ok := v.(float64)
	if n, whole := v.(int64); whole {
		f, ok = float64(n), true
	}
	if !ok || f < least || f > most {
		s.blame(key, "%s is %s: give a number from %g to %g", key, show(v), least, most)
		return
	}
	*into = f
}

// table is a table below this one; nil if it does not exist.
func (s *section) table(key, what string) *section {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	keys, ok := v.(map[string]any)
	if !ok {
		s.blame(key, "%s is %s: make it a table: [%s]", key, show(v), join(s.path, key))
		return nil
	}
	return s.doc.section(join(s.path, key), what, keys)
}

// tables are the tables of an array.
func (s *section) tables(key, what string) (all []*section) {
	v, ok := s.get(key)
	if !ok {
		return nil
	}
	list, ok := v.([]any)
	for i, item := range list {
		keys, is := item.(map[string]any)
		if ok = ok && is; ok {
			all = append(all, s.doc.section(join(s.path, key+"."+strconv.Itoa(i)), what, keys))
		}
	}
	if !ok {
		s.blame(key, "%s is %s: begin each %s with a line [[%s]]", key, show(v), strings.TrimPrefix(what, "a "), key)
		return nil
	}
	return all
}

// show prints a value as it may stand in the file.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	}
	return fmt.Sprint(v)
}
