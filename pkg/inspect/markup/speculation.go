package markup

import (
	"encoding/json"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
)

// speculationKeys are what a speculation rule may say; Chromium drops a rule
// that says anything else.
var speculationKeys = map[string]bool{
	"source": true, "urls": true, "where": true, "eagerness": true, "tag": true, "referrer_policy": true, "relative_to": true,
	"requires": true, "expects_no_vary_search": true, "target_hint": true,
}

// speculation visits a <script type=speculationrules>. Documents that it lists
// are fetched at once where a rule says nothing else; rules that pick links of
// the page wait for the visitor. What is prerendered is fetched and, before it
// is opened, not read.
func (w *walker) speculation(n *html.Node) {
	var rules struct {
		Prefetch  []json.RawMessage `json:"prefetch"`
		Prerender []json.RawMessage `json:"prerender"`
	}
	if json.Unmarshal([]byte(textOf(n)), &rules) != nil {
		return
	}
	for _, rule := range rules.Prefetch {
		w.speculate(rule, "prefetch")
	}
	for _, rule := range rules.Prerender {
		w.speculate(rule, "prerender")
	}
}

func (w *walker) speculate(rule json.RawMessage, what string) {
	var said map[string]json.RawMessage
	if json.Unmarshal(rule, &said) != nil {
		return
	}
	for key := range said {
		if !speculationKeys[key] {
			return
		}
	}
	var r struct {
		Source, Eagerness string
		URLs, Requires    []string
	}
	if json.Unmarshal(rule, &r) != nil || r.Source != "" && r.Source != "list" || said["where"] != nil {
		return
	}
	ref := Reference{Type: libra.Document, Fetch: libra.Fetched, Reason: what + " by speculation rules"}
	switch {
	case len(r.Requires) > 0:
		ref.Fetch, ref.Reason = libra.Unused, ref.Reason+", by a proxy that a browser rarely has"
	case r.Eagerness != "" && r.Eagerness != "immediate":
		ref.Fetch, ref.Reason = libra.Conditional, ref.Reason+" of eagerness "+strings.ToValidUTF8(r.Eagerness, "")
	}
	for _, u := range r.URLs {
		w.add(strings.Clone(u), ref)
	}
}
