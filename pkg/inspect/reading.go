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

// A page that is watched is mostly what it was the last time. What was read of
// documents is remembered by everything that decides it, so that the same bytes
// in the same window are not read again.

// readings remembers what was read last.
type readings struct {
	mu    sync.Mutex
	most  int64                         // bytes, about
	size  int64                         // under mu
	byKey map[fingerprint]*list.Element // of *reading; under mu
	order *list.List                    // the last asked for first; under mu
}

// fingerprint stands for bytes. Two inputs that share one would have to be made
// for seeds that nobody knows, and at one URL, which is part of the input.
type fingerprint [2]uint64

var seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// reading is what was read of one document.
type reading struct {
	key  fingerprint
	doc  markup.Document // without its tree
	size int64

	mu     sync.Mutex
	sheets fingerprint // which style sheets uses is for; zero for none; under mu
	uses   []css.Use   // under mu; not to be written to
}

// maxReading bounds what is remembered of one document.
const maxReading = 256 << 10

func newReadings(most int64) *readings {
	return &readings{most: most, byKey: map[fingerprint]*list.Element{}, order: list.New()}
}

// get returns what was read, nil if that is not remembered.
func (r *readings) get(key fingerprint) *reading {
	r.mu.Lock()
	defer r.mu.Unlock()
	e := r.byKey[key]
	if e == nil {
		return nil
	}
	r.order.MoveToFront(e)
	return e.Value.(*reading)
}

// put remembers doc. It returns nil where it is too large for that.
func (r *readings) put(key fingerprint, doc *markup.Document) *reading {
	x := &reading{key: key, doc: doc.Treeless(), size: weight(doc)}
	// A document that was cut depends on what stood beside it.
	if x.size > maxReading || x.size > r.most || doc.Cut || doc.Unlisted > 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.byKey[key]; e != nil {
		return e.Value.(*reading)
	}
	r.byKey[key] = r.order.PushFront(x)
	r.grow(x.size)
	return x
}

// grow makes room for n bytes more; under mu.
func (r *readings) grow(n int64) {
	for r.size += n; r.size > r.most; {
		last := r.order.Back()
		x := last.Value.(*reading)
		r.order.Remove(last)
		delete(r.byKey, x.key)
		r.size -= x.size
	}
}

// weight is about what a document takes without its tree.
func weight(doc *markup.Document) int64 {
	n := 500 + len(doc.URL) + len(doc.Base)
	for i := range doc.References {
		n += referenceWeight(&doc.References[i])
	}
	for _, s := range doc.Sheets {
		n += 100 + len(s.URL) + len(s.Text) + len(s.Media) + len(s.Base)
	}
	return int64(n) + int64(doc.ImportMap.Size())
}

func referenceWeight(r *markup.Reference) int {
	n := 250 + len(r.URL) + len(r.Reason) + len(r.Media) + len(r.Inline) + len(r.Integrity)
	for i := range r.Fallback {
		n += referenceWeight(&r.Fallback[i])
	}
	return n
}

// styled returns what sheets made of the document use, if that is remembered.
func (x *reading) styled(sheets fingerprint) ([]css.Use, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.uses, x.sheets == sheets
}

// style remembers what sheets use.
func (r *readings) style(x *reading, sheets fingerprint, uses []css.Use) {
	n := int64(0)
	for _, u := range uses {
		n += int64(100 + len(u.URL) + len(u.Reason) + len(u.Sheet) + 100*len(u.Fallback))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byKey[x.key] == nil || r.byKey[x.key].Value != any(x) || x.size+n > maxReading {
		return // forgotten, or too large
	}
	x.mu.Lock()
	if x.sheets == (fingerprint{}) { // sheets that change do not make it larger for ever
		x.size += n
		r.grow(n)
	}
	x.sheets, x.uses = sheets, uses
	x.mu.Unlock()
}

// mix writes fields so that no two lists of them are the same bytes.
type mix struct{ buf []byte }

func (m *mix) text(fields ...string) {
	for _, s := range fields {
		m.buf = binary.AppendUvarint(m.buf, uint64(len(s)))
		m.buf = append(m.buf, s...)
	}
}

func (m *mix) number(fields ...float64) {
	for _, f := range fields {
		m.buf = binary.BigEndian.AppendUint64(m.buf, math.Float64bits(f))
	}
}

func (m *mix) key(k fingerprint) {
	m.buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(m.buf, k[0]), k[1])
}

// sum ends with body, which need not be told from what stands before it.
func (m *mix) sum(body []byte) (d fingerprint) {
	for i, seed := range seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		h.Write(m.buf)
		h.WriteByte(0)
		d[i] = maphash.Bytes(seed, body) ^ bits.RotateLeft64(h.Sum64(), 1)
	}
	return d
}

// readingKey is everything that decides what is read of in; the window's media
// queries are decided by its size and by the profile, which all have in common.
func readingKey(in markup.Input, env markup.Env) fingerprint {
	var m mix
	m.text(in.MediaType, in.Charset, in.Refresh, in.Link, in.URL, in.Base)
	for _, is := range []bool{env.Scripting, env.Scriptless, env.Framed, env.Sandboxed, env.Upgrade} {
		m.number(map[bool]float64{true: 1}[is])
	}
	m.number(env.Width, env.Height, env.DPR, float64(env.MaxDataURI), float64(env.MaxElements), float64(env.MaxReferences))
	return m.sum(in.Body)
}

// sheetsKey is everything that decides what the sheets of view use: zero where
// one of them is too large to be told by its text.
func (p *page) sheetsKey(d *document) fingerprint {
	var m mix
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
