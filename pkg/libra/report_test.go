package libra_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

// Reports of earlier versions are read as this one would have written them.
func TestReportsOfEarlierVersions(t *testing.T) {
	gone, busy := libra.StatusReason(404), libra.Reason{Code: libra.CodeHTTPStatus, Text: "the page answered 503, which may pass"}
	for old, want := range map[string]libra.Report{
		`{"outcome":"failed","reasons":["no such host"]}`: {Outcome: libra.Error, ReasonList: libra.ReasonList{Reasons: []string{"no such host"}}},
		`{"outcome":"complete","status":404,"reasons":[],"repeat":{}}`: {
			Outcome: libra.Error, Status: 404, ReasonList: libra.ReasonList{Reasons: []string{"HTTP 404 Not Found: check the address"}, Details: []libra.Reason{gone}},
		},
		`{"outcome":"partial","status":404,"reasons":["image x: answered"],"reason_details":[{"code":"body-cut","text":"image x: cut"}]}`: {
			Outcome: libra.Error, Status: 404, ReasonList: libra.ReasonList{
				Reasons: []string{"HTTP 404 Not Found: check the address", "image x: answered"},
				Details: []libra.Reason{gone, {Code: libra.CodeBodyCut, Text: "image x: cut"}},
			},
		},
		`{"outcome":"partial","status":503,"reasons":["the page answered 503, which may pass"],"reason_details":[{"code":"http-status","text":"the page answered 503, which may pass"}]}`: {
			Outcome: libra.Error, Status: 503, ReasonList: libra.ReasonList{Reasons: []string{busy.Text}, Details: []libra.Reason{busy}},
		},
		`{"outcome":"partial","status":302,"reasons":["redirects not followed past 10: limit redirects"]}`: {
			Outcome: libra.Error, Status: 302, ReasonList: libra.ReasonList{Reasons: []string{"redirects not followed past 10: limit redirects"}},
		},
		`{"outcome":"complete","status":206,"reasons":[]}`:     {Outcome: libra.Complete, Status: 206, ReasonList: libra.NoReasons()},
		`{"outcome":"partial","status":200,"reasons":["cut"]}`: {Outcome: libra.Partial, Status: 200, ReasonList: libra.ReasonList{Reasons: []string{"cut"}}},
	} {
		var got libra.Report
		if err := json.Unmarshal([]byte(old), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", old, diff)
		}
	}
}
