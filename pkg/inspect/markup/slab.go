package markup

import (
	"sync"

	"golang.org/x/net/html"
)

// A tree's nodes and attributes come out of slabs that are used again once the
// tree is not needed any more: most of what reading a page would allocate.
const (
	slabNodes = 256
	slabAttrs = 128
	keptSlabs = 64 // of one tree, of each kind
)

type (
	nodeSlab [slabNodes]html.Node
	attrSlab [slabAttrs]html.Attribute
)

var (
	nodePool = sync.Pool{New: func() any { return new(nodeSlab) }}
	attrPool = sync.Pool{New: func() any { return new(attrSlab) }}
)

// slabs is what one tree is made of.
type slabs struct {
	nodes []*nodeSlab
	attrs []*attrSlab
}

func (s *slabs) takeNodes() []html.Node {
	slab := nodePool.Get().(*nodeSlab)
	s.nodes = append(s.nodes, slab)
	return slab[:]
}

func (s *slabs) takeAttrs() []html.Attribute {
	slab := attrPool.Get().(*attrSlab)
	s.attrs = append(s.attrs, slab)
	return slab[:]
}

// free gives the slabs back, cleared.
func (s *slabs) free() {
	for _, slab := range s.nodes[:min(len(s.nodes), keptSlabs)] {
		clear(slab[:])
		nodePool.Put(slab)
	}
	for _, slab := range s.attrs[:min(len(s.attrs), keptSlabs)] {
		clear(slab[:])
		attrPool.Put(slab)
	}
	*s = slabs{}
}
