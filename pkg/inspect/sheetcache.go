package inspect

import (
	"crypto/sha256"
	"sync"

	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
)

// A site's pages share their style sheets, so those parsed last are cached.
const (
	cachedSheets     = 64
	cachedSheetBytes = 256 << 10 // of one sheet's text
	cachedTextBytes  = 1 << 20   // of all
)

// sheetCache holds parsed sheets by their text and base.
type sheetCache struct {
	mu    sync.Mutex
	byKey map[sheetKey]*stylesheet.Sheet // under mu
	order []cachedSheet                  // under mu, the oldest first
	bytes int                            // under mu
}

type sheetKey struct {
	base markup.Base
	text [sha256.Size]byte
}

type cachedSheet struct {
	key  sheetKey
	size int
}

func newSheetCache() *sheetCache { return &sheetCache{byKey: map[sheetKey]*stylesheet.Sheet{}} }

// parse is stylesheet.Parse with the cache.
func (c *sheetCache) parse(text []byte, base markup.Base) *stylesheet.Sheet {
	if len(text) > cachedSheetBytes {
		return stylesheet.Parse(text, base)
	}
	k := sheetKey{base, sha256.Sum256(text)}
	c.mu.Lock()
	s := c.byKey[k]
	c.mu.Unlock()
	if s != nil {
		return s
	}
	s = stylesheet.Parse(text, base)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey[k] == nil {
		c.byKey[k] = s
		c.order = append(c.order, cachedSheet{k, len(text)})
		c.bytes += len(text)
	}
	for len(c.order) > cachedSheets || c.bytes > cachedTextBytes {
		oldest := c.order[0]
		c.order = c.order[1:]
		c.bytes -= oldest.size
		delete(c.byKey, oldest.key)
	}
	return s
}
