package markup

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"libra/pkg/libra"
)

// media visits a <video> or <audio>.
func (w *walker) media(n *html.Node) {
	if n.DataAtom == atom.Video {
		w.image(n, attr(n, "poster"), "video poster")
	}
	r := Reference{Type: libra.Media, Fetch: libra.Fetched, Reason: n.Data}
	if strings.EqualFold(attr(n, "preload"), "none") && !has(n, "autoplay") {
		r.Fetch, r.Reason = libra.Conditional, n.Data+" with preload=none: fetched when played"
	}
	if src, ok := lookup(n, "src"); ok {
		w.add(src, r)
	} else {
		w.sources(n, r)
	}
	w.tracks(n)
}

// sources records the first playable <source>; the next ones stand by for its
// failure.
func (w *walker) sources(n *html.Node, r Reference) {
	first := -1
	for s := n.FirstChild; s != nil; s = s.NextSibling {
		if s.DataAtom != atom.Source {
			continue
		}
		q := r
		switch {
		case !mediaPlayable(attr(s, "type")):
			q.Fetch, q.Reason = libra.Conditional, n.Data+" source of a type that is not supported"
		case !w.env.media(attr(s, "media")):
			q.Fetch, q.Reason = libra.Conditional, n.Data+" source for other media"
		case first >= 0:
			q.Fetch, q.Reason = libra.Conditional, n.Data+" source after the first: fetched if that fails"
			abs, ok := w.resolve(attr(s, "src"))
			if q.URL = abs; ok {
				chosen := &w.doc.References[first]
				chosen.Fallback = append(chosen.Fallback, q)
			}
		}
		if w.add(attr(s, "src"), q) && first < 0 && q.Fetch == libra.Fetched {
			first = len(w.doc.References) - 1
		}
	}
}

// tracks records the first default <track> of those that are shown in each
// other's place, and each one that is for scripts; the others load when chosen.
func (w *walker) tracks(n *html.Node) {
	chosen := map[string]bool{}
	for t := n.FirstChild; t != nil; t = t.NextSibling {
		if t.DataAtom != atom.Track {
			continue
		}
		r := Reference{Type: libra.Other, Fetch: libra.Conditional, Reason: "track that is not the default"}
		kind := strings.ToLower(attr(t, "kind"))
		switch kind {
		case "", "captions":
			kind = "subtitles"
		case "subtitles", "descriptions", "chapters":
		default:
			kind = "metadata" // invalid ones are
		}
		if has(t, "default") && !chosen[kind] {
			chosen[kind] = kind != "metadata"
			r.Fetch, r.Reason = libra.Fetched, "default track"
		}
		w.add(attr(t, "src"), r)
	}
}

// mediaPlayable reports whether Chromium may play a type attribute: an unknown
// container or only unknown codecs are passed over.
func mediaPlayable(t string) bool {
	t = strings.ToLower(strings.TrimSpace(t))
	container, parameters, _ := strings.Cut(t, ";")
	switch strings.TrimSpace(container) {
	case "":
		return t == ""
	case "video/mp4", "audio/mp4", "video/webm", "audio/webm", "video/ogg", "audio/ogg", "application/ogg",
		"audio/mpeg", "audio/mp3", "audio/x-mp3", "audio/wav", "audio/x-wav", "audio/flac", "audio/x-flac", "audio/aac", "audio/x-m4a", "video/x-m4v",
		"application/vnd.apple.mpegurl", "application/x-mpegurl", "audio/mpegurl":
	default:
		return false
	}
	_, codecs, ok := strings.Cut(parameters, "codecs=")
	if !ok {
		return true
	}
	for _, c := range strings.Split(strings.Trim(codecs, `"' `), ",") {
		if !knownCodec(strings.TrimSpace(c)) {
			return false
		}
	}
	return true
}

// knownCodec lists the prefixes of codecs that Chromium builds decode.
func knownCodec(c string) bool {
	for _, p := range []string{"avc1", "avc3", "hev1", "hvc1", "vp8", "vp9", "vp09", "av01", "mp4a", "opus", "vorbis", "flac", "theora", "mp3", "1"} {
		if strings.HasPrefix(c, p) {
			return true
		}
	}
	return false
}
