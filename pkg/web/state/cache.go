package state

import (
	"container/list"
	"sync"

	"github.com/klauspost/compress/s2"
)

// cache holds whole reports as compressed JSON, the least recently used given
// up first. A report's JSON shrinks to about a tenth, and is mostly wanted as
// JSON again.
type cache struct {
	max int64

	mu    sync.Mutex
	bytes int64                    // under mu; of everything in pages
	pages map[string]*list.Element // under mu; of *cached
	used  *list.List               // under mu; most recently used first
}

type cached struct {
	page, request string
	packed        []byte
}

// overhead is what an entry costs besides its report and its ids.
const overhead = 192

func (c *cached) size() int64 {
	return int64(len(c.packed)) + text(c.page) + text(c.request) + overhead
}

func newCache(max int64) *cache {
	return &cache{max: max, pages: map[string]*list.Element{}, used: list.New()}
}

// put keeps a page's report in place of the one before.
func (c *cache) put(page, request string, report []byte) {
	item := &cached{page, request, s2.Encode(nil, report)}
	item.packed = append([]byte(nil), item.packed...) // without the spare capacity
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(c.pages[page])
	if item.size() > c.max {
		return
	}
	c.pages[page] = c.used.PushFront(item)
	c.bytes += item.size()
	for c.bytes > c.max {
		c.drop(c.used.Back())
	}
}

// drop removes an element, if e is not nil. c.mu is held.
func (c *cache) drop(e *list.Element) {
	if e == nil {
		return
	}
	item := c.used.Remove(e).(*cached)
	delete(c.pages, item.page)
	c.bytes -= item.size()
}

// get is the JSON of a page's report and the request it answers.
func (c *cache) get(page string) (report []byte, request string, ok bool) {
	c.mu.Lock()
	e := c.pages[page]
	if e == nil {
		c.mu.Unlock()
		return nil, "", false
	}
	c.used.MoveToFront(e)
	item := e.Value.(*cached)
	c.mu.Unlock()
	report, err := s2.Decode(nil, item.packed)
	return report, item.request, err == nil
}

func (c *cache) stats() (reports int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pages), c.bytes
}
