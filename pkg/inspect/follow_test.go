package inspect_test

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// Who inspects a page is asked before it goes on to another host, and may refuse: the
// redirect is then all that is had, with the reason.
func TestFollow(t *testing.T) {
	var asked atomic.Int64
	there := served(t, func(w http.ResponseWriter, _ *http.Request) { asked.Add(1); w.Write([]byte("<p>hello")) })
	here := served(t, func(w http.ResponseWriter, r *http.Request) {
		to := there + "/there"
		if r.URL.Path == "/" {
			to = "/again"
		}
		http.Redirect(w, r, to, http.StatusFound)
	})
	i := newInspector(t, inspect.Config{})
	for _, light := range []bool{false, true} {
		var urls []string
		page := inspect.Page{URL: here + "/", Light: light, Follow: func(_ context.Context, url string) error {
			urls = append(urls, url)
			return libra.Because(libra.CodeHostHeld, "held")
		}}
		r := i.InspectPage(t.Context(), page, nil)
		if r.Outcome != libra.Error || r.Status != http.StatusFound || !r.HasReason(libra.CodeHostHeld) || r.FinalURL != here+"/again" || asked.Load() != 0 {
			t.Errorf("refused: %s, status %d at %s, %q; the other host was asked %d times", r.Outcome, r.Status, r.FinalURL, r.Reasons, asked.Load())
		}
		if !slices.Equal(urls, []string{there + "/there"}) {
			t.Errorf("asked about %q", urls)
		}
	}
	r := i.InspectPage(t.Context(), inspect.Page{URL: here + "/", Follow: func(context.Context, string) error { return nil }}, nil)
	if r.Status != http.StatusOK || r.FinalURL != there+"/there" || asked.Load() != 1 {
		t.Errorf("allowed: status %d at %s, %q", r.Status, r.FinalURL, r.Reasons)
	}
}
