package watchdog_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// RecordReports reads from the position of the reader, as the real one does.
func (r *rig) RecordReports(ctx context.Context, rec bus.Recording[event.Reported]) error {
	from, err := rec.From(ctx)
	if err != nil {
		return err
	}
	for seen := int(from.Sequence); ctx.Err() == nil; {
		r.mu.Lock()
		news := r.reports[min(seen, len(r.reports)):]
		r.mu.Unlock()
		if len(news) > 0 {
			if rec.Store(ctx, news, event.Position{Created: r.began, Sequence: uint64(seen + len(news))}) == nil {
				seen += len(news)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return ctx.Err()
}

func (r *rig) ConsumeWatches(ctx context.Context, caughtUp func(), fn func(event.Watch)) error {
	return consume(ctx, r, &r.watches, caughtUp, fn)
}

func (r *rig) PublishNote(_ context.Context, n libra.Note) error {
	return r.locked(func() error {
		if r.bus == nil {
			r.notes = append(r.notes, n)
		}
		return r.bus
	})
}

func (r *rig) InspectNow(_ context.Context, w event.Watch, occasion string) error {
	return r.locked(func() error {
		r.inspectedNow = append(r.inspectedNow, fmt.Sprintf("%.1f %s %s", time.Since(r.began).Seconds(), w.Page, occasion))
		return nil
	})
}

const shopURL = "https://shop.example/cart"

var shop = libra.PageID(shopURL)

// watch starts or ends a watch of the shop.
func (r *rig) watch(every int, budget string) event.Watch {
	w := event.Watch{Page: shop, URL: shopURL, EveryS: every, At: time.Now()}
	if budget != "" {
		w.Budget = json.RawMessage(budget)
	}
	r.set(func() { r.watches = append(r.watches, w) })
	return w
}

// report adds a report of a watched page with one image.
func (r *rig) report(w event.Watch, change func(*event.Reported)) {
	page := libra.Asset{URL: shopURL, Type: libra.Document, Fetch: libra.Fetched, EncodedBytes: 10 << 10}
	a := event.Reported{
		Request: event.Request{ID: fmt.Sprint(time.Now().UnixNano()), Page: w.Page, URL: w.URL, Watch: &w}, At: time.Now(),
		Report: libra.Report{URL: w.URL, Status: 200, Outcome: libra.Complete, Assets: []libra.Asset{page}, Totals: libra.Sum([]libra.Asset{page})},
	}
	if w.Budget != nil {
		a.Budget = &event.Judged{Lines: 1, Over: []string{}}
	}
	if change != nil {
		change(&a)
	}
	r.set(func() { r.reports = append(r.reports, a) })
}

func status(code int) func(*event.Reported) {
	return func(a *event.Reported) {
		a.Report.Status, a.Report.Outcome = code, libra.Error
		a.Report.AddReason(libra.StatusReason(code))
	}
}

// Reasons of failed reports.
var (
	refused = libra.Reason{Code: libra.CodeConnectionRefused, Text: "connection refused by shop.example:443: nothing listens there"}
	noFiles = libra.Reason{Code: libra.CodeLocalResources, Text: "this machine cannot connect to shop.example: too many open files"}
	busy    = libra.Reason{Code: libra.CodeHostBusy, Text: "shop.example asked to wait until 12:00"}
	held    = libra.Reason{Code: libra.CodeHostHeld, Text: "alice has suspended the inspections of shop.example"}
	ended   = libra.Reason{Code: libra.CodeEnded, Text: "ended by an operator (alice)"}
	crashed = libra.Reason{Code: libra.CodeQuarantined, Text: "the page ended its inspector 3 times and is in quarantine"}
)

func failed(why libra.Reason) func(*event.Reported) {
	return func(a *event.Reported) {
		a.Report = libra.Report{URL: shopURL, Outcome: libra.Error}
		a.Report.AddSentence(fmt.Sprintf("cannot fetch %q: %s", shopURL, why), why)
	}
}
