package markup

import (
	"slices"

	"golang.org/x/net/html/atom"
)

// maxFormatting is how many formatting elements are followed; past 512 html.Parse
// fails by itself.
const maxFormatting = 2000

// formatting follows the list of active formatting elements: the HTML parser
// opens them again in every block that follows the one they were left open in, so
// that 500 of them and 100,000 paragraphs make 50 million elements. An end tag
// closes no element from outside of the innermost scope, which is one the parser
// is certain to have left only where its own end tag follows.
//
// https://html.spec.whatwg.org/multipage/parsing.html#the-list-of-active-formatting-elements
type formatting struct {
	list     []active
	elements int // of list
	weight   int // what opening all of them again costs, in elements
}

// active is an element, or a scope where its weight is 0.
type active struct {
	tag    atom.Atom
	weight int
}

// start takes a start tag and reports whether it is a formatting element's.
func (f *formatting) start(tag atom.Atom, raw []byte) bool {
	if !isFormatting(tag) {
		if isScope(tag) {
			f.list = append(f.list, active{tag: tag})
		}
		return false
	}
	if tag == atom.A {
		f.end(tag) // the parser closes one that is open
	}
	// An attribute is half the size of an element.
	a := active{tag: tag, weight: 1 + attributes(raw)/2}
	f.list = append(f.list, a)
	f.elements++
	f.weight += a.weight
	return true
}

// end takes an end tag and reports whether it is a formatting element's.
func (f *formatting) end(tag atom.Atom) bool {
	if !isFormatting(tag) {
		if isScope(tag) {
			f.leave(tag)
		}
		return false
	}
	for i := len(f.list) - 1; i >= 0 && f.list[i].weight > 0; i-- {
		if f.list[i].tag == tag {
			f.elements--
			f.weight -= f.list[i].weight
			f.list = slices.Delete(f.list, i, i+1)
			break
		}
	}
	return true
}

// leave takes the end tag of a scope: it ends the innermost one, if that is its
// own, or a table's cells with the table. Elements left open in it stay.
func (f *formatting) leave(tag atom.Atom) {
	for i := len(f.list) - 1; i >= 0; i-- {
		switch a := f.list[i]; {
		case a.weight > 0:
		case a.tag == tag:
			inside := slices.DeleteFunc(f.list[i:], func(a active) bool { return a.weight == 0 })
			f.list = f.list[:i+len(inside)]
			return
		case tag != atom.Table || !isCell(a.tag):
			return
		}
	}
}

func isFormatting(tag atom.Atom) bool {
	switch tag {
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		return true
	}
	return false
}

// isScope reports whether an end tag inside of an element closes nothing outside.
func isScope(tag atom.Atom) bool {
	switch tag {
	case atom.Applet, atom.Marquee, atom.Object, atom.Select, atom.Table, atom.Template:
		return true
	}
	return isCell(tag)
}

func isCell(tag atom.Atom) bool { return tag == atom.Td || tag == atom.Th || tag == atom.Caption }
