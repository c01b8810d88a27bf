package fetch_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// BenchmarkGet sets Get beside a bare http.Client that discards bodies.
func BenchmarkGet(b *testing.B) {
	text := []byte(strings.Repeat("<p>Lorem ipsum dolor sit amet, consectetur "+"adipiscing elit</p>\n", 400))
	bodies := map[string][]byte{"/small": text[:2000], "/large": bytes.Repeat(text, 8), "/gzip": compress(b, "gzip", bytes.Repeat(text, 2))}
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/gzip" {
			w.Header().Set("Content-Encoding", "gzip")
		}
		w.Write(bodies[r.URL.Path])
	})
	plain := server(b, h)
	tls, trust := h2server(b, h)
	for _, srv := range []struct{ name, url string }{{"h1", plain.URL}, {"h2", tls.URL}} {
		for _, kind := range []string{"small", "large", "gzip"} {
			url := srv.url + "/" + kind
			b.Run(srv.name+"/"+kind+"/fetch", func(b *testing.B) {
				c := fetch.New(fetch.Config{Allow: loopback, TLS: trust})
				defer c.Close()
				b.ReportAllocs()
				for b.Loop() {
					s := c.Session()
					got := s.Get(b.Context(), fetch.Request{URL: url, Type: libra.Document})
					if got.Err != nil || got.Hops[0].Status != 200 {
						b.Fatal(got.Err)
					}
					got.Release()
				}
			})
			b.Run(srv.name+"/"+kind+"/bare", func(b *testing.B) {
				c := &http.Client{Transport: &http.Transport{TLSClientConfig: trust.Clone(), ForceAttemptHTTP2: true}}
				defer c.CloseIdleConnections()
				b.ReportAllocs()
				for b.Loop() {
					resp, err := c.Get(url)
					if err != nil {
						b.Fatal(err)
					}
					io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
			})
		}
	}
}
