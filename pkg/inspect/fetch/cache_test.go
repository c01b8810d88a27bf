package fetch_test

import (
	"net/http"
	"testing"

	"libra/pkg/inspect/fetch"
)

func TestCache(t *testing.T) {
	const date = "Sun, 01 Mar 2026 12:00:00 GMT"
	for name, c := range map[string]struct {
		status  int
		header  map[string]string
		fresh   int64
		noStore bool
		none    bool
	}{
		"nothing":                 {200, map[string]string{}, 0, false, true},
		"max-age":                 {200, map[string]string{"Cache-Control": "public, Max-Age=600"}, 600, false, false},
		"max-age, aged":           {200, map[string]string{"Cache-Control": "max-age=600", "Age": "200"}, 400, false, false},
		"max-age beats Expires":   {200, map[string]string{"Cache-Control": "max-age=5", "Date": date, "Expires": "Sun, 01 Mar 2026 13:00:00 GMT"}, 5, false, false},
		"Expires":                 {200, map[string]string{"Date": date, "Expires": "Sun, 01 Mar 2026 13:00:00 GMT"}, 3600, false, false},
		"Expires: 0":              {200, map[string]string{"Expires": "0", "Etag": `"x"`}, 0, false, false},
		"no-cache":                {200, map[string]string{"Cache-Control": "no-cache, max-age=600", "Etag": `"x"`}, 0, false, false},
		"Pragma":                  {200, map[string]string{"Pragma": "no-cache", "Last-Modified": "Sun, 01 Mar 2020 12:00:00 GMT"}, 0, false, false},
		"no-store":                {200, map[string]string{"Cache-Control": "max-age=9, no-store", "Etag": `"x"`}, 0, true, false},
		"a tenth of the age":      {200, map[string]string{"Date": date, "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"}, 360, false, false},
		"no heuristic for 500":    {500, map[string]string{"Date": date, "Last-Modified": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0, false, false},
		"max-age of a wild size":  {200, map[string]string{"Cache-Control": "max-age=999999999999"}, 10 * 365 * 86400, false, false},
		"max-age that is no size": {200, map[string]string{"Cache-Control": "max-age=soon", "Etag": `"x"`}, 0, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			srv := server(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for k, v := range c.header {
					w.Header().Set(k, v)
				}
				w.WriteHeader(c.status)
			}))
			client := fetch.New(fetch.Config{Allow: loopback})
			defer client.Close()
			got := client.Session().Get(t.Context(), fetch.Request{URL: srv.URL}).Hops[0].Cache
			if c.none != (got == nil) {
				t.Fatalf("got %+v, want none: %v", got, c.none)
			}
			if got != nil && (got.FreshS != c.fresh || got.NoStore != c.noStore) {
				t.Errorf("got fresh for %d s, no-store %v; want %d s, %v", got.FreshS, got.NoStore, c.fresh, c.noStore)
			}
		})
	}
}
