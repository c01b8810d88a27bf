package inspector_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/inspector"
)

// A page occupies its slot from the claim to the end, and no longer.
func TestBusy(t *testing.T) {
	hold := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-hold
		w.Write([]byte("<p>hello"))
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	ctx, cancel := context.WithCancel(t.Context())
	i := inspector.New(inspector.Config{Instance: "1", Workers: 2, Inspect: loopback, Program: os.Args[0]}, b.Connect("inspector"), b.Log())
	var wg sync.WaitGroup
	wg.Go(func() { i.Run(ctx, nil) })
	defer wg.Wait()
	defer cancel()
	if i.Slots() != 2 || i.Busy() != 0 {
		t.Errorf("nothing is inspected: %d slots, %d µs busy", i.Slots(), i.Busy())
	}
	if err := web.Submit(t.Context(), request(site.URL+"/")); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "100 ms of an inspection", func() bool { return i.Busy() >= (100 * time.Millisecond).Microseconds() })
	close(hold)
	bustest.Await(t, "the inspection to end", func() bool { return i.Done() == 1 && i.Running() == 0 })
	busy, ended := i.Busy(), time.Now()
	bustest.Await(t, "a millisecond", func() bool { return time.Since(ended) > time.Millisecond })
	if again := i.Busy(); again != busy {
		t.Errorf("nothing is inspected, and the inspector was busy for %d µs more", again-busy)
	}
}
