package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// However large the reports are and however slow their readers, little is read ahead: of
// the recorder, which stores them in batches, and of web, which reads them one by one.
func TestLargestReportsAreReadInLittleMemory(t *testing.T) { // not in parallel: it looks at the heap
	const reports, assets, bound = 16, 11_500, 40_000_000
	b := bustest.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	b.Resize(event.ReportStream, 256<<20)
	inspector := b.Connect("inspector")
	size := 0
	for n := range reports {
		r := typical(n, assets)
		text, err := json.Marshal(r.Report.Assets)
		if size = len(text); err != nil || size > libra.MaxListBytes || size < libra.MaxListBytes*9/10 {
			t.Fatalf("the report has %d bytes, the largest has %d: %v", size, libra.MaxListBytes, err)
		}
		bustest.Await(t, "the report to be stored", func() bool { return inspector.PublishReport(ctx, r) == nil })
	}
	before := settledHeap()
	for name, read := range map[string]func(context.Context, func(int)) error{
		"recorder": func(ctx context.Context, got func(int)) error {
			return b.Connect("recorder").RecordReports(ctx, bus.Recording[event.Reported]{
				Durable: "recorder", From: func(context.Context) (event.Position, error) { return event.Position{}, nil },
				Store: func(_ context.Context, batch []event.Reported, _ event.Position) error {
					got(len(batch))
					runtime.KeepAlive(batch)
					return nil
				},
			})
		},
		"web": func(ctx context.Context, got func(int)) error {
			return b.Connect("web").ConsumeReports(ctx, func() {}, func(event.Reported) { got(1) })
		},
	} {
		ctx, end := context.WithCancel(ctx)
		first, seen := sync.OnceFunc(func() {
			if took := int64(settledHeap()) - int64(before); took > bound {
				t.Errorf("%s: while the first reports are stored, %d MB of %d are in memory, the bound is %d MB", name, took/1e6, reports*size/1e6, bound/1_000_000)
			}
		}), 0
		err := read(ctx, func(n int) {
			if n > 0 {
				first()
			}
			if seen += n; seen >= reports {
				end()
			}
		})
		if end(); !errors.Is(err, context.Canceled) || seen < reports {
			t.Errorf("%s: %d reports of %d, %v", name, seen, reports, err)
		}
	}
}

// settledHeap is what is live once that grows no more.
func settledHeap() (most uint64) {
	for same := 0; same < 20; same++ {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > most+1<<20 {
			most, same = m.HeapAlloc, 0
		}
		time.Sleep(20 * time.Millisecond)
	}
	return most
}
