package inspect

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"sync"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/markup"
)

// A watched page is mostly unchanged from one inspection to the next. Parsed
// documents are cached by everything that their parsing depends on, so that the
// same bytes in the same viewport are not parsed again.

// documentCache holds the documents that were used last.
type documentCache struct {
	mu       sync.Mutex
	maxBytes int64                         // about, in bytes
	size     int64                         // under mu
	byKey    map[fingerprint]*list.Element // of *reading; under mu
	order    *list.List                    // the last used first; under mu
}

// fingerprint identifies bytes. A collision would have to be made for seeds that
// exist only in this process, at one URL, which is part of the input.
type fingerprint [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// cachedDocument is one parsed document, with what its style sheets use.
type cachedDocument struct {
	key  fingerprint
	doc  markup.Document // without its tree
	size int64

	mu     sync.Mutex
	sheets fingerprint // that uses belongs to; zero for none; under mu
	uses   []css.Use   // under mu; never written to
}

// maxCachedDocument bounds one document in the cache.
const maxCachedDocument = 256 << 10

func newDocumentCache(most int64) *documentCache {
	return &documentCache{maxBytes: most, byKey: map[fingerprint]*list.Element{}, order: list.New()}
}

// get returns a document, nil if it is not in the cache.
func (r *documentCache) get(key fingerprint) *cachedDocument {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(*cachedDocument)
}

// put adds doc. It returns nil if doc is too large.
func (r *documentCache) put(key fingerprint, doc *markup.Document) *cachedDocument {
	x := &cachedDocument{key: key, doc: doc.Treeless(), size: documentSize(doc)}
	// What was cut depends on the other documents of the page.
	if x.size > maxCachedDocument || x.size > r.maxBytes || doc.Cut || doc.Unlisted > 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byKey[key]; e != nil {
		return e.Value.(*cachedDocument)
	}
	r.byKey[key] = r.order.PushFront(x)
	r.makeRoom(x.size)
	return x
}

// makeRoom evicts documents until n more bytes fit; under mu.
func (r *documentCache) makeRoom(n int64) {
	for r.size += n; r.size > r.maxBytes; {
		last := r.order.Back()
		x := last.Value.(*cachedDocument)
		r.order.Remove(last)
		delete(r.byKey, x.key)
		r.size -= x.size
	}
}

// documentSize is about the memory of a document without its tree.
func documentSize(doc *markup.Document) int64 {
	n := 500 + len(doc.URL) + len(doc.Base)
	for i := range doc.References {
		n += referenceSize(&doc.References[i])
	}
	for _, s := range doc.Sheets {
		n += 100 + len(s.URL) + len(s.Text) + len(s.Media) + len(s.Base)
	}
	return int64(n) + int64(doc.ImportMap.Size())
}

func referenceSize(r *markup.Reference) int {
	n := 250 + len(r.URL) + len(r.Reason) + len(r.Media) + len(r.Inline) + len(r.Integrity)
	for i := range r.Auto {
		n += 50 + len(r.Auto[i].URL)
	}
	for i := range r.Fallback {
		n += referenceSize(&r.Fallback[i])
	}
	return n
}

// usesFor returns what sheets use, if it is in the cache.
func (x *cachedDocument) usesFor(sheets fingerprint) ([]css.Use, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.uses, x.sheets == sheets
}

// putUses adds what sheets use.
func (r *documentCache) putUses(x *cachedDocument, sheets fingerprint, uses []css.Use) {
	n := int64(0)
	for _, u := range uses {
		n += int64(100 + len(u.URL) + len(u.Reason) + len(u.Sheet) + 100*len(u.Fallback))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[x.key] == nil || r.byKey[x.key].Value != any(x) || x.size+n > maxCachedDocument {
		return // evicted, or too large
	}
	x.mu.Lock()
	if x.sheets == (fingerprint{}) { // later sheets replace uses
		x.size += n
		r.makeRoom(n)
	}
	x.sheets, x.uses = sheets, uses
	x.mu.Unlock()
}

// keyHasher serializes fields unambiguously.
type keyHasher struct{ buf []byte }

func (m *keyHasher) text(fields ...string) {
	for _, s := range fields {
		m.buf = binary.AppendUvarint(m.buf, uint64(len(s)))
		m.buf = append(m.buf, s...)
	}
}

func (m *keyHasher) number(fields ...float64) {
	for _, f := range fields {
		m.buf = binary.BigEndian.AppendUint64(m.buf, math.Float64bits(f))
	}
}

func (m *keyHasher) key(k fingerprint) {
	m.buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(m.buf, k[0]), k[1])
}

// sum hashes the fields and body, which needs no length.
func (m *keyHasher) sum(body []byte) (d fingerprint) {
	for i, seed := range seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		h.Write(m.buf)
		h.WriteByte(0)
		d[i] = maphash.Bytes(seed, body) ^ bits.RotateLeft64(h.Sum64(), 1)
	}
	return d
}

// documentKey is everything that the parsing of in depends on; media queries depend on
// the viewport and on the profile, which all documents share.
func documentKey(in markup.Input, env markup.Env) fingerprint {
	var m keyHasher
	m.text(in.MediaType, in.Charset, in.Refresh, in.Link, in.URL, in.Base)
	for _, is := range []bool{env.Scripting, env.Scriptless, env.Framed, env.Sandboxed, env.Upgrade} {
		m.number(map[bool]float64{true: 1}[is])
	}
	m.number(env.Width, env.Height, env.DPR, float64(env.MaxDataURI), float64(env.MaxElements), float64(env.MaxReferences))
	return m.sum(in.Body)
}

// sheetsKey identifies the style sheets of d: zero if one of them is too large to
// be hashed.
func (p *page) sheetsKey(d *document) fingerprint {
	var m keyHasher
	for i, src := range d.doc.Sheets {
		if s := d.inline[i]; s != nil {
			if s.key == (fingerprint{}) {
				return fingerprint{}
			}
			m.text("inline")
			m.key(s.key)
			continue
		}
		m.text(src.URL)
	}
	urls := make([]string, 0, len(p.sheets))
	for url := range p.sheets {
		urls = append(urls, url)
	}
	slices.Sort(urls)
	for _, url := range urls {
		s := p.sheets[url]
		if s.key == (fingerprint{}) {
			return fingerprint{}
		}
		m.text(url)
		m.key(s.key)
	}
	return m.sum(nil)
}
