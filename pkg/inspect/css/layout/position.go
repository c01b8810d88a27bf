package layout

import "libra/pkg/inspect/css/media"

type rect struct{ x, y, w, h float64 }

// placement is where a box is, and whether that is near the viewport.
type placement struct {
	rect
	near  bool
	width float64 // of the content box
}

// ancestry is what the ancestors of a box decide: the containing block of
// absolutely positioned boxes, and the area in which boxes count as near the
// viewport, in the flow and absolutely positioned.
type ancestry struct{ containingBlock, near, nearAbsolute rect }

// setPositions records where the lazy elements in b are, whose corner is at x
// and y of the page, and lays out the absolutely positioned boxes in it.
func (l *layout) setPositions(b *box, x, y float64, a ancestry) {
	at := rect{x, y, b.w, b.h}
	if b.node != nil {
		if l.lazy[b.node] {
			_, across, _, _ := b.borderPadding(0)
			l.placed[b.node] = placement{at, at.intersects(a.near), max(b.w-across, 0)}
		}
		switch b.style.keyword(propOverflow, "visible") {
		case "hidden", "auto", "scroll": // a scroll container
			a.near = a.near.intersection(at.loadingArea(l.Viewport))
		}
		if b.style.keyword(propPosition, "static") != "static" {
			a.containingBlock, a.nearAbsolute = at, a.near
		}
	}
	for _, k := range b.children {
		if k.isText || k.lineBreak {
			continue
		}
		if !k.outOfFlow() {
			l.setPositions(k, x+k.x, y+k.y, a)
			continue
		}
		in := a
		if in.near = a.nearAbsolute; k.style.keyword(propPosition, "") == "fixed" {
			in.containingBlock, in.near = l.window, l.window.loadingArea(l.Viewport)
		}
		kx, ky := l.layoutAbsolute(k, x+k.x, y+k.y, in.containingBlock)
		l.setPositions(k, kx, ky, in)
	}
}

// loadingArea is r with the margin in which lazy elements load.
func (r rect) loadingArea(v media.Viewport) rect {
	aside := float64(v.Width) / 2 // measured
	return rect{r.x - aside, r.y - lazyDistance, r.w + 2*aside, r.h + 2*lazyDistance}
}

func (r rect) intersection(o rect) rect {
	x, y := max(r.x, o.x), max(r.y, o.y)
	return rect{x, y, min(r.x+r.w, o.x+o.w) - x, min(r.y+r.h, o.y+o.h) - y}
}

func (r rect) intersects(o rect) bool {
	return r.x <= o.x+o.w && o.x <= r.x+r.w && r.y <= o.y+o.h && o.y <= r.y+r.h
}

// layoutAbsolute lays out an absolutely positioned box, whose static position is
// x and y, in the containing block from, and returns its position.
func (l *layout) layoutAbsolute(k *box, x, y float64, from rect) (float64, float64) {
	top, hasTop := k.style.px(propInset, from.h)
	right, hasRight := k.style.px(propInset+1, from.w)
	bottom, hasBottom := k.style.px(propInset+2, from.h)
	left, hasLeft := k.style.px(propInset+3, from.w)
	f := constraints{width: from.w, height: from.h, shrinkToFit: !hasLeft || !hasRight || k.inner == replaced}
	l.layoutBox(k, max(from.w-left-right, 0), f)
	if _, sized := k.style.px(propHeight, from.h); hasTop && hasBottom && !sized && k.inner != replaced {
		k.h = max(from.h-top-bottom, 0)
	}
	switch {
	case hasLeft:
		x = from.x + left + k.style.pxOr(propMargin+3, from.w, 0)
	case hasRight:
		x = from.x + from.w - right - k.w
	}
	switch {
	case hasTop:
		y = from.y + top + k.style.pxOr(propMargin, from.w, 0)
	case hasBottom:
		y = from.y + from.h - bottom - k.h
	}
	return x, y
}
