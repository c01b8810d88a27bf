package state

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// decoded is v as it comes from the bus: nothing in it shares memory with v.
func decoded[T any](t *testing.T, v T) (d T) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

var start = time.Unix(1_800_000_000, 0).UTC()

// long is a text of so many bytes that no other is like.
func long(prefix string, n, length int) string {
	text := fmt.Sprintf("%s%d/", prefix, n)
	return text + strings.Repeat("x", max(0, length-len(text)))
}

// asked is a request for a page with a URL of so many bytes.
func asked(n, length int) event.Request {
	url := long("https://example.org/", n, length)
	return event.Request{ID: fmt.Sprintf("request-%016d", n), Page: libra.PageID(url), URL: url, Client: "alice", Asked: start.Add(time.Duration(n) * time.Second)}
}

// answered is a partial report with a final URL as long as its URL, and as many long
// reasons as memory keeps.
func answered(r event.Request, reasons int) event.Reported {
	rep := event.Reported{Request: r, At: r.Asked.Add(time.Second), Report: libra.Report{
		URL: r.URL, FinalURL: r.URL + "?final", Outcome: libra.Partial, Status: 200, Title: strings.Repeat("title ", 100),
		Totals: libra.Sum([]libra.Asset{{Type: libra.Document, Fetch: libra.Fetched}, {Type: libra.Image, Fetch: libra.Fetched}}),
	}}
	for i := range reasons {
		rep.Report.AddReason(libra.Reason{Code: libra.CodeLimit, Text: long("the reason is ", i, 400), Remedy: long("do ", i, 400)})
	}
	return rep
}

// newState is a state without a bus.
func newState(b Bounds) *State { return New(Config{Bounds: b, MaxStreams: 256}, nil, nil, nil) }

// heapAfter is by how many bytes the heap grows while fill runs.
func heapAfter(fill func()) int64 {
	live := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := live()
	fill()
	return live() - before
}

// The bounds are what docs and package say: 48 MB together.
func TestBoundsAreShared(t *testing.T) {
	if total := DefaultBounds().Total(); total != 48*mb {
		t.Errorf("all parts may take %d bytes, want 48 MB", total)
	}
}

// Whatever is put into memory, the heap does not grow by more than the bound of its
// part, and nearly as much as the accounting says.
func TestStateIsBoundedInBytes(t *testing.T) {
	bounds := DefaultBounds()
	for _, c := range []struct {
		name  string
		bound int64
		fill  func(t *testing.T, s *State)
	}{
		{"requests with long URLs", bounds.Pages + bounds.Open, func(t *testing.T, s *State) {
			for n := range 20_000 {
				s.Memory.request(decoded(t, asked(n, libra.MaxURLBytes)), true, start)
			}
		}},
		{"reports with long URLs and reasons", bounds.Pages, func(t *testing.T, s *State) {
			for n := range 1_200 {
				s.Memory.report(decoded(t, answered(asked(n, libra.MaxURLBytes), 30)))
			}
		}},
		{"ordinary reports", bounds.Pages, func(t *testing.T, s *State) {
			for n := range 30_000 {
				s.Memory.report(decoded(t, answered(asked(n, 40), 0)))
			}
		}},
		{"reports of forged types", bounds.Pages, func(t *testing.T, s *State) {
			for n := range 6_000 {
				r := answered(asked(n, 3000), 0)
				if n%600 == 0 {
					r.Report.Totals = totalsOf(20_000)
					r.Report.Repeat = &r.Report.Totals
				}
				s.Memory.report(decoded(t, r))
			}
		}},
		{"hosts with long causes", bounds.Hosts, func(t *testing.T, s *State) {
			for n := range 2_000 {
				h := event.Host{Host: fmt.Sprint("host", n), State: libra.HostOpen, Since: start.Add(time.Duration(n) * time.Second), Cause: libra.HostCause(strings.Repeat("c", 15_000))}
				s.Hosts.onState(decoded(t, h))
			}
		}},
		{"watches with long URLs and budgets", bounds.Watches, func(t *testing.T, s *State) {
			budget := json.RawMessage(`"` + strings.Repeat("b", 20_000) + `"`)
			for n := range 10_000 {
				r := asked(n, libra.MaxURLBytes)
				s.Watches.take(decoded(t, event.Watch{Page: r.Page, URL: r.URL, Client: "alice", EveryS: 60, At: r.Asked, Budget: budget}))
			}
		}},
		{"alarms about long URLs", bounds.Alarms, func(t *testing.T, s *State) {
			for n := range 10_000 {
				r := asked(n, libra.MaxURLBytes)
				s.Memory.alarm(decoded(t, raised(n, r.URL)))
			}
		}},
		{"ordinary notes", bounds.Notes, func(t *testing.T, s *State) {
			for n := range 30_000 {
				s.Notes.take(decoded(t, noted(n, 10)))
			}
		}},
		{"long notes", bounds.Notes, func(t *testing.T, s *State) {
			for n := range 5_000 {
				s.Notes.take(decoded(t, noted(n, 5_000)))
			}
		}},
		{"short notes on the board", bounds.Board, func(t *testing.T, s *State) {
			for n := range 10_000 {
				s.Board.take(decoded(t, written(n, 10)))
			}
		}},
		{"long notes on the board", bounds.Board, func(t *testing.T, s *State) {
			for n := range 3_000 {
				s.Board.take(decoded(t, written(n, 4*libra.MostNoteText)))
			}
		}},
		{"heartbeats of forged instances", bounds.Heartbeats, func(t *testing.T, s *State) {
			for n := range 10_000 {
				s.Memory.beat(decoded(t, forged(long("", n, 60), 5_000)), start.Add(time.Duration(n)*time.Minute))
			}
		}},
		{"events that nobody reads", bounds.Streams, func(t *testing.T, s *State) {
			for n := range 256 {
				s.Hub.Join(asked(n, 40).Page)
			}
			for n := range 256 * 100 {
				s.Hub.send("step", asked(n%256, 40).Page, strings.Repeat("s", 10_000))
			}
		}},
		{"documents", bounds.Documents, func(t *testing.T, s *State) {
			for n := range 20_000 {
				r := asked(n, 40)
				s.KeepDocument(r.Page, Edition{page: 1}, Document{Body: []byte(long("document", n, 3800)), Zip: []byte(long("zip", n, 800)), Tag: r.Page})
			}
		}},
		{"whole reports", bounds.Reports, func(t *testing.T, s *State) {
			for n := range 20_000 {
				r := asked(n, 40)
				s.Memory.reports.put(r.Page, r.ID, []byte(long("report", n, 100)+r.Page+r.ID))
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newState(bounds)
			grown := heapAfter(func() { c.fill(t, s) })
			said := int64(0)
			for _, u := range s.Usage() {
				said += u.Bytes
			}
			t.Logf("the heap has grown by %d kB, the accounting says %d kB, the bound is %d kB; %d pages", grown/1000, said/1000, c.bound/1000, s.Memory.Counts().Pages)
			if grown > c.bound+mb/2 {
				t.Errorf("the heap has grown by %d bytes, the bound is %d", grown, c.bound)
			}
			if said > c.bound {
				t.Errorf("the accounting says %d bytes, the bound is %d", said, c.bound)
			}
			if said < c.bound/3 {
				t.Errorf("only %d bytes of %d are used", said, c.bound)
			}
			runtime.KeepAlive(s)
		})
	}
}

// totalsOf has so many types that there are not.
func totalsOf(n int) libra.Totals {
	t := libra.Totals{ByType: map[libra.ResourceType]libra.Size{}}
	for i := range n {
		t.ByType[libra.ResourceType(fmt.Sprint("type", i))] = libra.Size{}
	}
	return t
}

func raised(n int, url string) libra.Transition {
	id := "page.down." + libra.PageID(url)
	at := start.Add(time.Duration(n) * time.Second)
	return libra.Transition{ID: fmt.Sprintf("transition-%d", n), At: at, Alarm: libra.Alarm{
		ID: id, Scope: libra.ScopePage, Target: url, Page: libra.PageID(url), Severity: libra.Major, State: libra.Raised, Since: at, Summary: "is down", Evidence: "status 500",
	}}
}

func noted(n, length int) libra.Note {
	at := time.Now().UTC().Add(time.Duration(n) * time.Millisecond)
	if n%2 == 0 {
		return libra.Note{ID: fmt.Sprintf("note-%d", n), Kind: libra.Acknowledged, At: at, By: "alice", Alarm: fmt.Sprintf("page.down.%d", n), Text: strings.Repeat("n", length)}
	}
	return libra.Note{ID: fmt.Sprintf("note-%d", n), Kind: libra.Silenced, At: at, By: "alice", Silence: &libra.Silence{
		ID: fmt.Sprintf("silence-%d", n), Match: libra.Match{Alarm: "page.*"}, From: at, Until: at.Add(time.Hour), By: "alice", Why: strings.Repeat("w", length),
	}}
}

func written(n, length int) libra.Note {
	return libra.Note{ID: fmt.Sprintf("note-%d", n), Kind: libra.Written, At: start.Add(time.Duration(n) * time.Millisecond), By: "alice", Alarm: fmt.Sprintf("page.down.%d", n), Text: strings.Repeat("n", length)}
}

func forged(instance string, length int) event.Heartbeat {
	return event.Heartbeat{Component: component.Inspector, Instance: instance, PID: 1, Status: strings.Repeat("s", length), Counters: map[string]int64{"a": 1, "b": 2}}
}

// Forged instances take no place of one that sends heartbeats, nor of one that the
// units start.
func TestForgedInstancesEvictNobody(t *testing.T) {
	m := newState(Bounds{}).Memory
	now := start
	m.beat(forged("1", 100), now)
	m.beat(forged("blue", 100), now)
	for n := range 1000 {
		m.beat(forged(fmt.Sprintf("forged-%d", n), 100), now)
	}
	m.beat(forged("2", 100), now)
	seen := map[string]bool{}
	for _, h := range m.Instances() {
		seen[h.Heartbeat.Instance] = true
	}
	if !seen["1"] || !seen["2"] || len(seen) > mostInstances {
		t.Errorf("%d instances, among them 1: %v, 2: %v", len(seen), seen["1"], seen["2"])
	}
}

// What memory has no room for stays counted.
func TestCountsWithoutRoom(t *testing.T) {
	s := newState(Bounds{Pages: 100_000, Watches: 10_000, Alarms: 20_000})
	m := s.Memory
	for n := range 500 {
		r := asked(n, 1000)
		m.request(r, true, start)
		m.alarm(raised(n, r.URL))
		s.Watches.take(event.Watch{Page: r.Page, URL: r.URL, EveryS: 60, At: r.Asked})
	}
	c := m.Counts()
	if c.Pages >= 500 || c.Open != 500 || c.Alarms != 500 || s.Watches.count() != 500 || m.OpenBySeverity()[libra.Major] != 500 {
		t.Errorf("counts = %+v, %d watches, %v", c, s.Watches.count(), m.OpenBySeverity())
	}
	if n, since := m.Unlisted(); n == 0 || since.IsZero() {
		t.Errorf("%d alarms are unlisted since %v", n, since)
	}
	// What is answered, cleared or ended is not counted any more, in memory or not.
	for n := range 500 {
		r := asked(n, 1000)
		m.report(answered(r, 0))
		cleared := raised(n, r.URL)
		cleared.ID, cleared.Alarm.State, cleared.At = "cleared", libra.Cleared, cleared.At.Add(time.Hour)
		m.alarm(cleared)
		s.Watches.take(event.Watch{Page: r.Page, At: r.Asked.Add(time.Second)})
	}
	if c := m.Counts(); c.Open != 0 || c.Alarms != 0 || s.Watches.count() != 0 {
		t.Errorf("counts = %+v, %d watches", c, s.Watches.count())
	}
}

// A resync counts the open requests of every page on the bus, and asks again for none
// that memory had no room for.
func TestResyncWithoutRoom(t *testing.T) {
	m := newState(Bounds{Pages: 100_000}).Memory
	onBus := map[string]int{}
	for n := range 300 {
		r := asked(n, 1000)
		m.request(r, true, start)
		onBus[r.Page] = 1
	}
	unseen := asked(1000, 1000)
	onBus[unseen.Page] = 2
	unknown := m.resync(onBus, start.Add(time.Hour))
	if len(unknown) != 1 || unknown[0] != unseen.Page || m.Counts().Open != 302 {
		t.Errorf("unknown: %d pages, open: %d", len(unknown), m.Counts().Open)
	}
	if m.resync(map[string]int{}, start.Add(time.Hour)); m.Counts().Open != 0 {
		t.Errorf("open: %d, and the bus has none", m.Counts().Open)
	}
}

// The newest stay, and those that are watched or have an open request longer than others.
func TestOldestGoFirst(t *testing.T) {
	s := newState(Bounds{Pages: 100_000})
	for n := range 500 {
		r := asked(n, 1000)
		switch n {
		case 0:
			s.Watches.take(event.Watch{Page: r.Page, URL: r.URL, EveryS: 60, At: r.Asked})
			s.Memory.report(answered(r, 0))
		case 1:
			s.Memory.request(r, true, start)
		default:
			s.Memory.report(answered(r, 0))
		}
	}
	for n, want := range map[int]bool{0: true, 1: true, 2: false, 3: false, 498: true, 499: true} {
		if has := s.Memory.has(asked(n, 1000).Page); has != want {
			t.Errorf("page %d in memory: %v, want %v", n, has, want)
		}
	}
}

// The client that is furthest behind is disconnected when those that do not read take
// too much together; one that reads is not.
func TestStreamsAreBoundedTogether(t *testing.T) {
	h := newHub(10, 50_000)
	slow, quick := h.Join(""), h.Join("")
	for range 100 {
		h.send("step", "", strings.Repeat("s", 1000))
		for len(quick.Out) > 0 {
			(<-quick.Out).Done()
		}
	}
	for range slow.Out {
		t.Error("the slow client is connected, or its events are kept")
	}
	if h.Size() != 1 || h.Dropped() != 1 || h.queued() != 0 {
		t.Errorf("%d clients, %d dropped, %d bytes", h.Size(), h.Dropped(), h.queued())
	}
}
