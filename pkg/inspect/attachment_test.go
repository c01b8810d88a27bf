package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// TestAttachment: a document that is downloaded is not shown.
func TestAttachment(t *testing.T) {
	base := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, `<iframe src=/shown></iframe><iframe src=/saved></iframe>`)
			return
		}
		w.Header().Set("Content-Disposition", map[string]string{"/shown": "inline", "/saved": `Attachment; filename="x.html"`}[r.URL.Path])
		fmt.Fprintf(w, `<img src=%s.png>`, r.URL.Path)
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil)
	if diff := cmp.Diff([]string{"/", "/shown", "/saved", "/shown.png"}, paths(r, libra.Fetched)); diff != "" {
		t.Errorf("(-want +got) %q\n%s", r.Reasons, diff)
	}
}
