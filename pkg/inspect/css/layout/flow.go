package layout

import "math"

// flow lays out blocks below each other and lines of what stands in them.
type flow struct {
	l             *layout
	b             *box
	width, height float64
	y             float64 // the top of the line, or where the next block goes
	x             float64 // how far the line is filled
	tall          float64 // how high it is
	open          bool    // it holds something
	gap           float64 // the margin below the last block
	started       bool    // there is something above
	holes         []hole
	deepest       float64 // where the last float ends
	floor         float64 // the top of the last float
}

// run returns the height of it all.
func (f *flow) run() float64 {
	for _, k := range f.b.kids {
		switch {
		case k.out():
			k.x, k.y = 0, f.y
		case k.breaks:
			f.tall = max(f.tall, k.s.line)
			f.line()
			f.open = true
			f.end()
		case k.isText:
			f.text(k)
		case k.floats():
			f.float(k)
		case k.inline:
			f.atom(k)
		default:
			f.block(k)
		}
	}
	f.end()
	if through, _ := f.b.lets(); !through {
		f.y += f.gap
	}
	if f.b.encloses() {
		return max(f.y, f.deepest)
	}
	for _, x := range f.holes {
		if x.own && x.bottom > f.y {
			f.b.late = append(f.b.late, x)
		}
	}
	return f.y
}

// encloses says whether b is as high as the floats in it.
func (b *box) encloses() bool {
	if b.s.clears || b.node == nil || b.node.Data == "html" || b.out() || b.floats() || b.inline || b.s.word(dOverflow, "visible") != "visible" {
		return true
	}
	switch b.s.word(dDisplay, "inline") {
	case "flow-root", "table-cell", "table-caption", "inline-block":
		return true
	}
	return b.s.get(dColumnCount) != nil || b.s.get(dColumnWidth) != nil
}

// lets says whether the margins of what b holds reach through it: below, above.
func (b *box) lets() (below, above bool) {
	if b.inner != flowing || b.encloses() {
		return false, false
	}
	_, _, top, along := b.edges(0)
	_, fixed := b.s.px(dHeight, -1)
	_, least := b.s.px(dMinHeight, -1)
	return along == top && !fixed && !least, top == 0
}

// margin is the margin of b on one side with what reaches through it.
func (l *layout) margin(b *box, base float64, bottom bool) float64 {
	i := 0
	if bottom {
		i = 1
	}
	if !b.known[i] {
		b.through[i], b.known[i] = l.ownMargin(b, base, bottom), true
	}
	return b.through[i]
}

func (l *layout) ownMargin(b *box, base float64, bottom bool) float64 {
	side := dMargin
	if bottom {
		side += 2
	}
	m := b.s.or(side, base, 0)
	below, above := b.lets()
	if bottom && !below || !bottom && !above {
		return m
	}
	for i := range b.kids {
		k := b.kids[i]
		if bottom {
			k = b.kids[len(b.kids)-1-i]
		}
		if k.spaceOnly || k.out() || k.floats() {
			continue
		}
		if k.inline {
			break
		}
		return max(m, l.margin(k, base, bottom))
	}
	return m
}

// line begins what stands in a line.
func (f *flow) line() {
	f.y += f.gap
	f.gap, f.started = 0, true
}

// end closes the line.
func (f *flow) end() {
	if f.open {
		f.y += f.tall
	}
	f.x, f.tall, f.open = 0, 0, false
}

// room is where a line at y begins and ends.
func (f *flow) room(y float64) (left, right float64) {
	right = f.width
	for _, h := range f.holes {
		if h.bottom <= y || h.top > y+1 {
			continue
		}
		if h.right {
			right = min(right, h.edge)
		} else {
			left = max(left, h.edge)
		}
	}
	return left, right
}

// below is where the first float ends that stands beside y, y if none does.
func (f *flow) below(y float64) float64 {
	next := math.Inf(1)
	for _, h := range f.holes {
		if h.bottom > y && h.top <= y+1 {
			next = min(next, h.bottom)
		}
	}
	if math.IsInf(next, 1) {
		return y
	}
	return next
}

// fit moves y down until w fits beside the floats.
func (f *flow) fit(y, w float64) (at, left, right float64) {
	for {
		left, right = f.room(y)
		next := f.below(y)
		if right-left >= w-.5 || next <= y {
			return y, left, right
		}
		y = next
	}
}

// text writes t into lines.
func (f *flow) text(t *box) {
	if t.spaceOnly {
		if f.open {
			f.x += t.max
		}
		return
	}
	f.line()
	if t.rows > 1 {
		f.end()
		f.y += float64(t.rows-1) * t.s.line
	}
	rest := t.max
	for range 1000 { // lines beside floats
		if !f.open {
			f.y, _, _ = f.fit(f.y, min(t.min, f.width))
		}
		left, right := f.room(f.y)
		room := right - left - f.x
		f.tall = max(f.tall, t.s.line)
		if rest <= room || !t.s.wraps {
			break
		}
		if !f.open {
			room = max(room, 16) // something always fits
		}
		rest -= max(room, 0)
		f.open = true
		f.end()
		if len(f.holes) == 0 && rest > f.width {
			lines := math.Floor(rest / max(f.width, 16))
			f.y += lines * t.s.line
			rest -= lines * max(f.width, 16)
		}
	}
	f.x, f.tall, f.open = f.x+min(rest, f.width), max(f.tall, t.s.line), true
}

// atom puts a box into a line.
func (f *flow) atom(k *box) {
	f.line()
	f.l.place(k, f.width, frameOf{width: f.width, height: f.height, shrink: true})
	left, across, top, along := k.margins(f.width)
	w, h := k.w+across, k.h+along
	lineLeft, right := f.room(f.y)
	if f.open && f.x+w > right-lineLeft+.5 && k.s.wraps {
		f.end()
	}
	if !f.open {
		f.y, lineLeft, _ = f.fit(f.y, min(w, f.width))
	}
	if k.s.word(dVerticalAlign, "baseline") == "baseline" {
		h += .22 * k.s.font // it stands on the baseline
	}
	k.x, k.y = lineLeft+f.x+left, f.y+top
	f.x, f.tall, f.open = f.x+w, max(f.tall, h, f.b.s.line), true
}

func (b *box) margins(base float64) (left, across, top, along float64) {
	left, top = b.s.or(dMargin+3, base, 0), b.s.or(dMargin, base, 0)
	return left, left + b.s.or(dMargin+1, base, 0), top, top + b.s.or(dMargin+2, base, 0)
}

// float puts k to the side.
func (f *flow) float(k *box) {
	f.l.place(k, f.width, frameOf{width: f.width, height: f.height, shrink: true})
	left, across, top, along := k.margins(f.width)
	y := max(f.y+f.gap, f.floor)
	y = f.clear(k, y)
	y, from, to := f.fit(y, k.w+across)
	f.floor = y
	h := hole{top: y, bottom: y + k.h + along, own: true, edge: from + k.w + across}
	k.x, k.y = from+left, y+top
	if side := k.s.word(dFloat, ""); side == "right" || side == "inline-end" {
		h.right, h.edge = true, to-k.w-across
		k.x = h.edge + left
	}
	f.deepest = max(f.deepest, h.bottom)
	f.add(h)
}

// add notes a float, and forgets those that are passed.
func (f *flow) add(h hole) {
	kept := f.holes[:0]
	for _, x := range f.holes {
		if x.bottom > min(f.y, f.floor) {
			kept = append(kept, x)
		}
	}
	const most = 200
	if f.holes = kept; h.bottom > h.top && len(f.holes) < most {
		f.holes = append(f.holes, h)
	}
}

// clear moves y below the floats that k does not stand beside.
func (f *flow) clear(k *box, y float64) float64 {
	side := k.s.word(dClear, "none")
	for _, h := range f.holes {
		if side == "both" || h.right && (side == "right" || side == "inline-end") || !h.right && (side == "left" || side == "inline-start") {
			y = max(y, h.bottom)
		}
	}
	return y
}

// block puts k below what stands above it.
func (f *flow) block(k *box) {
	f.end()
	top := f.l.margin(k, f.width, false)
	_, first := f.b.lets()
	if first = first && !f.started; first {
		top = 0 // it is b's own
	}
	if top < 0 {
		f.gap += top
	} else {
		f.gap = max(f.gap, top)
	}
	y := f.clear(k, f.y+f.gap)
	room := frameOf{width: f.width, height: f.height}
	x, avail := 0., f.width
	if k.encloses() || k.inner != flowing {
		least, _ := f.l.widths(k)
		var right float64
		y, x, right = f.fit(y, min(least, f.width))
		avail = right - x
	} else {
		left := max(k.s.or(dMargin+3, f.width, 0), 0)
		for _, h := range f.holes {
			if h.bottom > y {
				h.edge, h.top, h.bottom, h.own = h.edge-left, h.top-y, h.bottom-y, false
				room.holes = append(room.holes, h)
			}
		}
	}
	f.l.place(k, avail, room)
	k.x, k.y = x+k.aside(avail), y
	if k.s.word(dPosition, "static") == "relative" {
		k.y += k.s.or(dInset, f.height, 0)
	}
	bottom := f.l.margin(k, f.width, true)
	for _, h := range k.late {
		h.edge, h.top, h.bottom = h.edge+k.x, h.top+y, h.bottom+y
		f.deepest = max(f.deepest, h.bottom)
		f.add(h)
	}
	k.late = nil
	if k.h == 0 && y == f.y+f.gap { // margins collapse through what is empty
		if !first {
			f.gap = max(f.gap, bottom)
		}
		return
	}
	f.y, f.gap, f.started = y+k.h, bottom, true
}

// aside is how far from the left b stands by its margins.
func (b *box) aside(avail float64) float64 {
	auto := func(i dim) bool { return b.s.word(dMargin+i, "") == "auto" }
	left, across, _, _ := b.margins(avail)
	switch {
	case auto(3) && auto(1):
		return max((avail-b.w)/2, 0)
	case auto(3):
		return max(avail-b.w-across, 0)
	}
	return left
}
