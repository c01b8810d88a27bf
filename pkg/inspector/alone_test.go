package inspector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspector"
)

// Of many pages to inspect alone, eight are inspected at a time; the others do not
// occupy slots meanwhile, and follow.
func TestAloneSlots(t *testing.T) {
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	var asked atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/at-once") {
			asked.Add(1)
			<-hold
		}
		w.Write([]byte("<p>hello"))
	}))
	defer site.Close()
	defer release()
	b := bustest.Start(t)
	web := b.Connect("web")
	i := inspector.New(inspector.Config{Instance: "1", Workers: 12, Inspect: loopback, Program: os.Args[0]}, b.Connect("inspector"), b.Log())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var lost []event.Request
	for n := range 12 { // of two hosts, as one has fewer pages at a time
		lost = append(lost, request(fmt.Sprintf("%s/%d", []string{site.URL, strings.Replace(site.URL, "127.0.0.1", "localhost", 1)}[n%2], n)))
		if err := web.Submit(t.Context(), lost[n]); err != nil {
			t.Fatal(err)
		}
	}
	// Somebody has them all, and will be lost with them.
	gone, leave := context.WithCancel(t.Context())
	taken, lose, left := make(chan struct{}, len(lost)), make(chan struct{}), make(chan error)
	go func() {
		left <- b.Connect("inspector").Work(gone, bustest.Slots(len(lost)), time.Minute, nil, func(context.Context, bus.Job) {
			taken <- struct{}{}
			<-lose
		})
	}()
	for range lost {
		<-taken
	}
	wg.Go(func() { i.Run(ctx, nil) })
	for n := range 4 { // with each that ends, there is room for one more
		r := request(fmt.Sprintf("%s/at-once/%d", site.URL, n))
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		bustest.Await(t, "the report of "+r.URL, func() bool { _, err := web.LastReport(t.Context(), r.Page); return err == nil })
	}
	leave()
	close(lose)
	<-left
	bustest.Await(t, "eight pages to be weighed alone", func() bool { return asked.Load() == 8 })
	bustest.Await(t, "the others to wait on the bus", func() bool { return i.Running() == 8 })
	release()
	for _, r := range lost {
		bustest.Await(t, "the report of "+r.URL, func() bool { _, err := web.LastReport(t.Context(), r.Page); return err == nil })
	}
}
