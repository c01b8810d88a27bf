package inspect

import (
	"crypto/sha256"
	"sync"

	"libra/pkg/inspect/css"
)

// A site's pages share their style sheets, so what was parsed last is kept.
const (
	cachedSheets     = 64
	cachedSheetBytes = 256 << 10 // of one sheet's text
	cachedTextBytes  = 1 << 20   // of all
)

// sheetCache holds sheets by what they were parsed from.
type sheetCache struct {
	mu    sync.Mutex
	byKey map[sheetKey]*css.Sheet // under mu
	order []sheetKey              // under mu, the oldest first
	bytes int                     // under mu
}

type sheetKey struct {
	base string
	text [sha256.Size]byte
	size int
}

func newSheetCache() *sheetCache { return &sheetCache{byKey: map[sheetKey]*css.Sheet{}} }

// parse is css.Parse.
func (c *sheetCache) parse(text []byte, base string) *css.Sheet {
	if len(text) > cachedSheetBytes {
		return css.Parse(text, base)
	}
	k := sheetKey{base, sha256.Sum256(text), len(text)}
	c.mu.Lock()
	s := c.byKey[k]
	c.mu.Unlock()
	if s != nil {
		return s
	}
	s = css.Parse(text, base)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[k] == nil {
		c.byKey[k] = s
		c.order = append(c.order, k)
		c.bytes += k.size
	}
	for len(c.order) > cachedSheets || c.bytes > cachedTextBytes {
		oldest := c.order[0]
		c.order = c.order[1:]
		c.bytes -= oldest.size
		delete(c.byKey, oldest)
	}
	return s
}
