package layout

// line is a flex line, an item of a column container, or a row of a grid.
type line struct {
	items  []*box
	height float64
}

// stackLines places the lines of b below each other and returns their height.
func (b *box) stackLines(width float64) float64 {
	y, gap := 0., b.style.pxOr(propRowGap, width, 0)
	for _, l := range b.lines {
		for _, k := range l.items {
			k.y += y
		}
		y += l.height + gap
	}
	return max(y-gap, 0)
}
