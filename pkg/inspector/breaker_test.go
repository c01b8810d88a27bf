package inspector_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// Of a host that does not answer, one page is fetched at a time; the others fail at
// once, with the reason. The first answer ends that.
func TestBreaker(t *testing.T) {
	var silent, asked atomic.Int64
	held := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch {
		case silent.Load() == 1:
			panic(http.ErrAbortHandler)
		case r.URL.Path == "/probe":
			<-held
		}
		w.Write([]byte("<p>hello"))
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	defer run(t, b.Connect("inspector"), b, "1")()
	ask := func(path string) event.Request {
		t.Helper()
		r := request(site.URL + path)
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	var codes libra.ReasonList // of the newest failure
	failure := func(r event.Request) (reason string) {
		t.Helper()
		bustest.Await(t, "the failure of "+r.URL, func() bool {
			got, err := web.LastFailure(t.Context(), r.Page)
			if err == nil {
				reason, codes = got.Report.Reasons[0], got.Report.ReasonList
			}
			return err == nil
		})
		return reason
	}
	good := func(r event.Request) {
		t.Helper()
		bustest.Await(t, "the report of "+r.URL, func() bool {
			got, err := web.LastReport(t.Context(), r.Page)
			return err == nil && got.Report.Outcome == libra.Complete
		})
	}
	silent.Store(1)
	last := ""
	for n := range 3 {
		last = failure(ask(fmt.Sprintf("/silent-%d", n)))
	}
	silent.Store(0)
	was := asked.Load()
	probe := ask("/probe")
	bustest.Await(t, "the probe to be asked for", func() bool { return asked.Load() == was+1 })
	reason := failure(ask("/beside"))
	if !strings.Contains(reason, "3 pages in a row") || !strings.Contains(reason, last) {
		t.Errorf("a page beside the probe says %q, the ones before it %q", reason, last)
	}
	if len(codes.Details) != 2 || codes.Details[0].Code != libra.CodeHostSuspended || codes.Details[1].Code == "" {
		t.Errorf("a page beside the probe has the reasons %+v, want %s and why the last page failed", codes.Details, libra.CodeHostSuspended)
	}
	if n := asked.Load() - was; n != 1 {
		t.Errorf("the host was asked %d times beside the probe", n-1)
	}
	close(held)
	good(probe)
	good(ask("/after"))
	good(ask("/after-that"))
}
