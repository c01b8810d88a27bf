package har_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/har"
	"libra/pkg/libra"
)

var update = flag.Bool("update", false, "write the golden files")

func report() libra.Report {
	return libra.Report{
		URL: "http://example.org/?q=a b&q=c", FinalURL: "https://example.org/", Outcome: libra.Partial, ReasonList: libra.ReasonList{Reasons: []string{"one", "two"}},
		Started: time.Date(2026, 11, 21, 5, 0, 0, 123e6, time.FixedZone("", 3600)), DurationMS: 900,
		Assets: []libra.Asset{
			{URL: "http://example.org/?q=a+b&q=c", Type: libra.Document, Status: 301, HeaderBytes: 100, Fetch: libra.Fetched},
			{
				URL: "https://example.org/", Type: libra.Document, Status: 200, HeaderBytes: 200, EncodedBytes: 1000, DecodedBytes: 4000, Fetch: libra.Fetched,
				MediaType: "text/html", Protocol: "HTTP/2.0", StartMS: 12.5, FramingBytes: 18,
				Timings: &libra.Timings{Blocked: 0.1, DNS: 1, Connect: 2, TLS: 3, Wait: 4, Receive: 5},
			},
			{URL: "https://example.org/<x>.css", Type: libra.Stylesheet, Initiator: "https://example.org/", Fetch: libra.Fetched, Error: "connection refused"},
			{URL: "https://example.org/lazy.png", Type: libra.Image, Initiator: "https://example.org/", Fetch: libra.Lazy},
		},
	}
}

func write(t *testing.T, r libra.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := har.Write(&b, r, "1.0"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGolden(t *testing.T) {
	got := write(t, report())
	golden := filepath.Join("testdata", "report.har")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestValid(t *testing.T) {
	for _, r := range []libra.Report{report(), {URL: "http://x/", Outcome: libra.Error, Started: time.Now(), ReasonList: libra.ReasonList{Reasons: []string{"no such host"}}}} {
		var file any
		if err := json.Unmarshal(write(t, r), &file); err != nil {
			t.Fatal(err)
		}
		for _, fault := range validate("har", file) {
			t.Error(fault)
		}
	}
}

// TestValidateFinds: the check above would notice.
func TestValidateFinds(t *testing.T) {
	for from, to := range map[string]string{
		`"version": "1.2"`:     `"version": 1.2`,
		`"queryString": []`:    `"queryString": null`,
		`"redirectURL": ""`:    `"redirect": ""`,
		`"send": 0`:            `"send": -1`,
		`"time": 0`:            `"time": 5`,
		`"mimeType": "x-`:      `"MimeType": "x-`,
		`"pageref": "page_1"`:  `"pageref": "page_2"`,
		`2026-11-21T04:00:00.`: `21.11.2026 04:00:00.`,
	} {
		broken := strings.Replace(string(write(t, report())), from, to, 1)
		var file any
		if err := json.Unmarshal([]byte(broken), &file); err != nil {
			t.Fatal(err)
		}
		if len(validate("har", file)) == 0 {
			t.Errorf("%s for %s passes", to, from)
		}
	}
}

// rules are HAR 1.2's objects: field to type, "?" for what may be missing.
var rules = map[string]map[string]string{
	"har":         {"log": "log"},
	"log":         {"version": "string", "creator": "creator", "browser": "creator?", "pages": "[]page?", "entries": "[]entry", "comment": "string?"},
	"creator":     {"name": "string", "version": "string", "comment": "string?"},
	"page":        {"startedDateTime": "date", "id": "string", "title": "string", "pageTimings": "pageTimings", "comment": "string?"},
	"pageTimings": {"onContentLoad": "time?", "onLoad": "time?", "comment": "string?"},
	"entry": {
		"pageref": "string?", "startedDateTime": "date", "time": "positive", "request": "request", "response": "response",
		"cache": "cache", "timings": "timings", "serverIPAddress": "string?", "connection": "string?", "comment": "string?",
	},
	"request": {
		"method": "string", "url": "string", "httpVersion": "string", "cookies": "[]pair", "headers": "[]pair", "queryString": "[]pair",
		"postData": "object?", "headersSize": "size", "bodySize": "size", "comment": "string?",
	},
	"response": {
		"status": "positive", "statusText": "string", "httpVersion": "string", "cookies": "[]pair", "headers": "[]pair", "content": "content",
		"redirectURL": "string", "headersSize": "size", "bodySize": "size", "comment": "string?",
	},
	"content": {"size": "positive", "compression": "size?", "mimeType": "string", "text": "string?", "encoding": "string?", "comment": "string?"},
	"pair":    {"name": "string", "value": "string", "comment": "string?"},
	"cache":   {"beforeRequest": "object?", "afterRequest": "object?", "comment": "string?"},
	"timings": {
		"blocked": "time?", "dns": "time?", "connect": "time?", "send": "positive", "wait": "positive", "receive": "positive", "ssl": "time?", "comment": "string?",
	},
}

// validate lists where v breaks the rules for kind.
func validate(kind string, v any) (faults []string) {
	bad := func(format string, args ...any) { faults = append(faults, kind+": "+fmt.Sprintf(format, args...)) }
	n, isNumber := v.(float64)
	s, isString := v.(string)
	switch kind {
	case "string":
		if !isString {
			bad("%v", v)
		}
		return faults
	case "date":
		if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
			bad("%v", err)
		}
		return faults
	case "positive":
		if !isNumber || n < 0 {
			bad("%v", v)
		}
		return faults
	case "time", "size":
		if !isNumber || n < -1 {
			bad("%v", v)
		}
		return faults
	}
	if item, ok := strings.CutPrefix(kind, "[]"); ok {
		list, ok := v.([]any)
		if !ok {
			bad("%v is no list", v)
		}
		for _, x := range list {
			faults = append(faults, validate(item, x)...)
		}
		return faults
	}
	object, ok := v.(map[string]any)
	if !ok {
		bad("%v is no object", v)
		return faults
	}
	for field, rule := range rules[kind] {
		rule, optional := strings.CutSuffix(rule, "?")
		x, ok := object[field]
		switch {
		case ok:
			faults = append(faults, validate(rule, x)...)
		case !optional:
			bad("%s is missing", field)
		}
	}
	for field := range object {
		if _, ok := rules[kind][field]; !ok && !strings.HasPrefix(field, "_") {
			bad("%s is not of the format", field)
		}
	}
	return append(faults, consistent(kind, object)...)
}

// consistent checks what types cannot say.
func consistent(kind string, object map[string]any) (faults []string) {
	switch kind {
	case "log":
		var ids []any
		pages, _ := object["pages"].([]any)
		for _, p := range pages {
			ids = append(ids, p.(map[string]any)["id"])
		}
		entries, _ := object["entries"].([]any)
		for _, e := range entries {
			if ref, ok := e.(map[string]any)["pageref"]; ok && !slices.Contains(ids, ref) {
				faults = append(faults, fmt.Sprintf("entry: pageref %v is no page", ref))
			}
		}
	case "entry":
		timings, _ := object["timings"].(map[string]any)
		sum := 0.0
		for _, phase := range []string{"blocked", "dns", "connect", "send", "wait", "receive"} { // ssl is in connect
			if n, _ := timings[phase].(float64); n > 0 {
				sum += n
			}
		}
		if sum != object["time"] {
			faults = append(faults, fmt.Sprintf("entry: time is %v, its timings add up to %v", object["time"], sum))
		}
	}
	return faults
}

func TestCommentSaysWhatIsNotThere(t *testing.T) {
	r := libra.Report{Outcome: libra.Complete, MayFetchMore: true, ScriptsNotExecuted: &libra.Scripts{Count: 2, Bytes: 1200}}
	const want = "a browser requests at least these entries: 2 scripts were not executed (1.2 kB decoded): they may fetch more"
	if got := har.From(r, "1").Log.Comment; got != want {
		t.Errorf("comment %q, want %q", got, want)
	}
	r.Outcome, r.Reasons = libra.Partial, []string{"no time"}
	if got := har.From(r, "1").Log.Comment; got != "partial report: no time; "+want {
		t.Errorf("comment of a partial report: %q", got)
	}
}
