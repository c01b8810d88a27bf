package inspect

import (
	"slices"
	"time"

	"libra/pkg/libra"
)

// queue holds requests by priority, and in the order found within one.
type queue struct {
	classes [4][]*request
}

// class is a browser's order of requests: what blocks rendering first.
func class(t libra.ResourceType) int {
	switch t {
	case libra.Document, libra.Stylesheet:
		return 0
	case libra.Font, libra.Script:
		return 1
	case libra.Image:
		return 2
	}
	return 3
}

func (q *queue) push(r *request) {
	c := class(r.typ)
	q.classes[c] = append(q.classes[c], r)
}

func (q *queue) len() int {
	n := 0
	for _, c := range q.classes {
		n += len(c)
	}
	return n
}

// pop removes the first request that may start. If none may, it returns the
// shortest wait after which one may, 0 for none.
func (q *queue) pop(may func(*request) (bool, time.Duration)) (*request, time.Duration) {
	var shortest time.Duration
	for i, c := range q.classes {
		for k, r := range c {
			ok, wait := may(r)
			if ok {
				q.classes[i] = slices.Delete(c, k, k+1)
				return r, 0
			}
			if wait > 0 && (shortest == 0 || wait < shortest) {
				shortest = wait
			}
		}
	}
	return nil, shortest
}
