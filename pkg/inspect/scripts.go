package inspect

import (
	"hash/maphash"
	"net/http"
	"strings"
	"sync"

	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// judgedBytes bounds the scripts of one page that are looked through for what
// makes requests; a page with more may fetch more.
const judgedBytes = 16 << 20

// scripts are the scripts of a page that a browser executes.
type scripts struct {
	count    libra.Scripts
	mayFetch bool  // one of them may request more, or is not known
	inserts  bool  // one of them inserts markup from elsewhere,
	keeps    bool  // and a document has such markup that loads something
	judged   int64 // bytes looked through
}

// countScripts counts n scripts from url.
func (p *page) countScripts(n int, bytes int64, url string) {
	c := &p.scripts.count
	c.Count += n
	c.Bytes += bytes
	if p.root.result != nil && !fetch.SameParty(url, p.root.result.FinalURL) {
		c.ThirdParty += n
		c.ThirdPartyBytes += bytes
	}
}

// unreadScript notes an answer that a browser may execute and that is not known
// in full: none came, it was cut short, or the server may answer another time.
func (p *page) unreadScript(res *fetch.Result) {
	if n := len(res.Hops); n == 0 || res.Err != nil || mayPass(res.Hops[n-1].Status) {
		p.scripts.mayFetch = true
	}
}

// judgeScript lists what a script imports and judges the rest of it, unless the
// page is judged already.
func (p *page) judgeScript(res *fetch.Result, module bool) []markup.Reference {
	s := &p.scripts
	imports := p.importMap()
	shared := imports.Empty() // else what a script does depends on its page
	var key verdictKey
	var said verdict
	known := false
	if shared {
		key = p.engine.verdicts.key(res.Body, module)
		said, known = p.engine.verdicts.of(key)
	}
	judge := !known && !s.mayFetch
	if judge {
		if s.judged += int64(len(res.Body)); s.judged > judgedBytes {
			s.mayFetch, judge = true, false
		}
	}
	c := markup.ReadScript(string(res.Body), res.FinalURL, module, imports, judge)
	if judge {
		said = verdict{c.MayFetch, c.Inserts}
	}
	if judge && shared {
		p.engine.verdicts.add(key, said)
	}
	s.mayFetch, s.inserts = s.mayFetch || said.mayFetch, s.inserts || said.inserts
	return c.References
}

// reportScripts writes down what was not executed.
func (p *page) reportScripts(r *libra.Report) {
	if p.cfg.ScriptingOff {
		r.ScriptsNotExecuted = &libra.Scripts{}
		return
	}
	for _, q := range p.requests {
		if (q.kind == markup.Script || q.kind == markup.Module) && (q.result == nil || q.dropped) {
			p.scripts.mayFetch = true // never read
		}
	}
	count := p.scripts.count
	r.ScriptsNotExecuted, r.MayFetchMore = &count, p.scripts.mayFetch || p.scripts.inserts && p.scripts.keeps
}

// nosniff is https://fetch.spec.whatwg.org/#determine-nosniff.
func nosniff(h http.Header) bool {
	first, _, _ := strings.Cut(strings.Join(h.Values("X-Content-Type-Options"), ","), ",")
	return strings.EqualFold(strings.Trim(first, " \t"), "nosniff")
}

// verdicts remembers of which scripts it is known whether they may fetch more:
// the pages of a site share theirs.
type verdicts struct {
	seed maphash.Seed
	mu   sync.Mutex
	list map[verdictKey]verdict // under mu
}

// verdict is what is known of a script.
type verdict struct{ mayFetch, inserts bool }

// verdictKey is the text of a script; the hash has a secret seed.
type verdictKey struct {
	hash   uint64
	size   int
	module bool
}

// maxVerdicts bounds verdicts, at some 40 bytes each.
const maxVerdicts = 1024

func newVerdicts() *verdicts {
	return &verdicts{seed: maphash.MakeSeed(), list: map[verdictKey]verdict{}}
}

func (v *verdicts) key(text []byte, module bool) verdictKey {
	return verdictKey{maphash.Bytes(v.seed, text), len(text), module}
}

func (v *verdicts) of(k verdictKey) (said verdict, known bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	said, known = v.list[k]
	return said, known
}

func (v *verdicts) add(k verdictKey, said verdict) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.list) >= maxVerdicts {
		clear(v.list)
	}
	v.list[k] = said
}
