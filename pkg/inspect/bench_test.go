package inspect_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// BenchmarkInspect inspects an ordinary page of six requests on a server in the
// same process: bytes and allocations include the server's.
func BenchmarkInspect(b *testing.B) {
	srv := httptest.NewServer(http.FileServer(http.Dir("testdata/site")))
	defer srv.Close()
	i := inspect.New(inspect.Config{Allow: loopback})
	defer i.Close()
	b.ReportAllocs()
	for b.Loop() {
		if r := i.Inspect(context.Background(), srv.URL+"/mixed.html", nil); r.Outcome != libra.Complete {
			b.Fatalf("got %s %q", r.Outcome, r.Reasons)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pages/s")
}
