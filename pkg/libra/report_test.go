package libra_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

// Reports of earlier versions are read as this one would have written them.
func TestReportsOfEarlierVersions(t *testing.T) {
	answered := func(status int) libra.Report {
		r := libra.Report{Outcome: libra.Error, Status: status}
		r.AddReason(libra.StatusReason(status))
		return r
	}
	for old, want := range map[string]libra.Report{
		`{"outcome":"failed","reasons":["no such host"]}`:               {Outcome: libra.Error, ReasonList: libra.ReasonList{Reasons: []string{"no such host"}}},
		`{"outcome":"complete","status":404,"reasons":[],"repeat":{}}`:  answered(404),
		`{"outcome":"partial","status":404,"reasons":["image x: cut"]}`: answered(404), // before reasons had codes
		`{"outcome":"partial","status":404,"reasons":["image x: answered 503"],"reason_details":[{"code":"http-status","text":"image x: answered 503"}]}`:                                                  answered(404),
		`{"outcome":"partial","status":503,"reasons":["the page answered 503, which may pass: try again later"],"reason_details":[{"code":"http-status","text":"the page answered 503, which may pass"}]}`: answered(503),
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
