package bus

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// reportOf is a message with a report that has so much in its JSON.
func reportOf(report string) (subject string, data []byte) {
	const url = "https://example.org/"
	page := libra.PageID(url)
	return event.ReportSubject(page), fmt.Appendf(nil, `{"request":{"id":"r1","page":%q,"url":%q},"report":{"outcome":"complete",%s}}`, page, url, report)
}

// largest is a report of nearly as many bytes as the engine lists: requests with all that
// is known of them.
func largest(tb testing.TB) (subject string, data []byte) {
	tb.Helper()
	var list []libra.Asset
	for size := 0; ; {
		a := libra.Asset{
			URL: fmt.Sprintf("https://cdn.example.org/assets/image/%032x.webp", len(list)), Type: libra.Image, Initiator: "https://example.org/", Status: 200,
			HeaderBytes: 300, EncodedBytes: 20_000, DecodedBytes: 20_000, Fetch: libra.Fetched, Reason: "img src", MediaType: "image/webp", Protocol: "HTTP/2.0",
			StartMS: 100.1, Timings: &libra.Timings{Wait: 10.1, Receive: 9.3}, Cache: &libra.Cache{ETag: `"abc"`, FreshS: 3600},
		}
		text, err := json.Marshal(a)
		if err != nil {
			tb.Fatal(err)
		}
		if size += len(text) + 1; size > libra.MaxListBytes {
			break
		}
		list = append(list, a)
	}
	text, err := json.Marshal(list)
	if err != nil {
		tb.Fatal(err)
	}
	return reportOf(`"assets":` + string(text))
}

// A message that would take many times its size in memory is refused before it is read;
// the largest report that there is is not.
func TestMessagesThatGrow(t *testing.T) {
	const eight = 8 << 20
	fill := func(head, each, tail string) string {
		return head + strings.TrimSuffix(strings.Repeat(each+",", (eight-1000-len(head)-len(tail))/(len(each)+1)), ",") + tail
	}
	types := make([]string, 0, eight/12)
	for i := range eight / 14 {
		types = append(types, fmt.Sprintf(`"%07d":{}`, i))
	}
	for name, c := range map[string]struct{ report, why string }{
		"assets":           {fill(`"assets":[`, "{}", "]"), "elements"},
		"assets that fail": {fill(`"assets":[`, "0", "]"), "elements"},
		"types":            {`"totals":{"by_type":{` + strings.Join(types, ",") + "}}", "members"},
		"depth":            {`"assets":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000), "within each other"},
	} {
		subject, data := reportOf(c.report)
		before := allocated()
		_, err := read[event.Reported](subject, data)
		if err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
		if took := allocated() - before; took > 1<<20 {
			t.Errorf("%s: to refuse %d bytes took %d", name, len(data), took)
		}
	}
	subject, data := largest(t)
	r, err := read[event.Reported](subject, data)
	if err != nil || len(r.Report.Assets) < 5000 {
		t.Errorf("the largest report: %d assets, %v", len(r.Report.Assets), err)
	}
}

// Brackets, commas and quotes in a text are no structure.
func TestElements(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		`{}`: 0, `{"a":1,"b":{"c":2,"d":3}}`: 0, `[1]`: 1, `{"a":[1,2,{"b":[3,4],"c":5},6]}`: 6,
		`{"a":"[,,\"[,{","b":["\\",","]}`: 2, `]]],`: 0, `{"a":"\`: 0,
	} {
		if got, err := elements([]byte(text)); got != want || err != nil {
			t.Errorf("%s: %d elements, %v, want %d", text, got, err, want)
		}
	}
}

// allocated is how many bytes were allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// BenchmarkElements shows what counting costs beside reading.
func BenchmarkElements(b *testing.B) {
	subject, data := largest(b)
	b.Run("count", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := elements(data); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := read[event.Reported](subject, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
