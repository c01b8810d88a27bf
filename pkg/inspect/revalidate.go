package inspect

import (
	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// priorAssets are the assets of a report that the next inspection requests
// conditionally: those that are not read, with validators.
func priorAssets(r *libra.Report) map[string]*libra.Asset {
	if r == nil {
		return nil
	}
	prior := map[string]*libra.Asset{}
	for i := range r.Assets {
		a := &r.Assets[i]
		switch a.Type {
		case libra.Image, libra.Font, libra.Media, libra.Other:
		default:
			continue
		}
		if a.Fetch == libra.Fetched && a.Error == "" && a.Cache.Validates() && (a.Status == 200 || a.Status == 206) && a.MediaType != "image/svg+xml" {
			prior[a.URL] = a
		}
	}
	return prior
}

// fetchRequest is the request for r, conditional where a 304 suffices.
func (p *page) fetchRequest(r *request) fetch.Request {
	q := fetch.Request{URL: r.url, Type: r.typ, Referrer: r.referrer, TopLevel: r.top, FromPublic: !r.private, Unread: p.light}
	if r == p.root {
		q.Follow = p.onRedirect
	}
	if a := p.prior[r.url]; a != nil && r.kind == markup.Leaf && r.typ == a.Type {
		q.ETag, q.LastModified = a.Cache.ETag, a.Cache.LastModified
		r.prior = a
	}
	return q
}

// notModified replaces the sizes of a 304 by those of the previous answer, which a
// first visit would get.
func (r *request) notModified(res *fetch.Result) {
	if r.prior == nil || len(res.Hops) == 0 {
		return
	}
	h := &res.Hops[len(res.Hops)-1]
	if h.Status != 304 {
		return
	}
	a := r.prior
	cache := *a.Cache
	cache.NotModifiedBytes = h.TransferBytes()
	if h.Cache != nil {
		cache.FreshS, cache.NoStore = h.Cache.FreshS, h.Cache.NoStore
	}
	h.Status, h.MediaType, h.Cache = a.Status, a.MediaType, &cache
	h.HeaderBytes, h.EncodedBytes, h.DecodedBytes, h.FramingBytes = a.HeaderBytes, a.EncodedBytes, a.DecodedBytes, a.FramingBytes
	res.MediaType = a.MediaType
}
