package web_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web"
)

// At the start web reads more reports from the bus than it reads ahead or has room for,
// to the end, and stays within its bounds.
func TestRefillOfManyLongReports(t *testing.T) {
	h := newRig(t) // not in parallel: others would wait for the bus
	inspector := h.bus.Connect("inspector")
	const reports, senders = 3000, 4
	var group sync.WaitGroup
	failed := make([]error, senders)
	for part := range senders {
		group.Go(func() {
			for n := part; n < reports; n += senders {
				rep := reported(request(n), time.Now().UTC())
				rep.Report.AddReason(libra.Reason{Code: libra.CodeLimit, Text: strings.Repeat("r", 16_000)})
				failed[part] = errors.Join(failed[part], inspector.PublishReport(t.Context(), rep))
			}
		})
	}
	group.Wait()
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	h.start(web.Config{}).ready()
}
