package admission_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/web/admission"
)

// table is the rule tables of the package and of Limit, line by line.
type table struct {
	limit, used, most   int
	unloaded            time.Duration
	probing             bool
	windowed, probed    time.Time
	probe               time.Time
	took                []time.Duration
	waiting             []int // numbers of requests
	client              map[int]string
	admitted            map[string]time.Time
	refused             time.Time
	admittedN, refusedN []int
}

func (m *table) now() int {
	if m.probing {
		return 1
	}
	return m.limit
}

func (m *table) take(n int, now time.Time) {
	m.used++
	m.most = max(m.most, m.used)
	m.admitted[m.client[n]] = now
	m.admittedN = append(m.admittedN, n)
}

func (m *table) grant(now time.Time) {
	for len(m.waiting) > 0 && m.used < m.now() {
		m.take(m.waiting[0], now)
		m.waiting = m.waiting[1:]
	}
}

func (m *table) ask(n int, client string, now time.Time) {
	m.client[n] = client
	last, known := m.admitted[client]
	lately := known && now.Sub(last) < admission.Calm
	crowded := !m.refused.IsZero() && now.Sub(m.refused) < admission.Calm
	switch {
	case m.used < m.now() && len(m.waiting) == 0:
		m.take(n, now)
	case !crowded && len(m.waiting) < admission.MostWaiting,
		crowded && !lately && len(m.waiting) < admission.Reserved:
		m.waiting = append(m.waiting, n)
	default:
		m.refused = now
		m.refusedN = append(m.refusedN, n)
	}
}

func (m *table) observe(took time.Duration, now time.Time) {
	m.most = max(m.most, m.used)
	if m.probing && len(m.took) == 0 && m.used > 1 {
		m.windowed, m.most = now, 0
		return
	}
	m.took = append(m.took, took)
	if now.Sub(m.windowed) < admission.Window || len(m.took) < admission.Samples {
		return
	}
	median := m.unload(now)
	switch {
	case m.probing:
	case median > admission.Tolerance*m.unloaded:
		m.limit = max(m.limit/2, admission.Least)
	case m.most >= m.limit:
		m.limit = min(m.limit+1, admission.Most)
	}
	m.probing = !m.probing && now.Sub(m.probed) >= admission.ProbeEvery
	m.windowed, m.took, m.most = now, nil, m.used
	if m.probing {
		m.probe = now
	}
}

// unload has a window change the unloaded latency, and returns its median.
func (m *table) unload(now time.Time) (median time.Duration) {
	median = slices.Sorted(slices.Values(m.took))[len(m.took)/2]
	if m.most <= 1 {
		m.probed = now
	}
	switch {
	case m.most <= 1 || m.unloaded == 0:
		m.unloaded = median
	case median < m.unloaded:
		m.unloaded -= (m.unloaded - median) / 4
	}
	return median
}

// expire ends a probe that has had its time before now.
func (m *table) expire(now time.Time) {
	end := m.probe.Add(admission.ProbeFor)
	if !m.probing || now.Before(end) {
		return
	}
	if len(m.took) > 0 {
		m.unload(end)
	}
	m.probed, m.probing = end, false
	m.windowed, m.took, m.most = end, nil, m.used
	m.grant(end)
}

// Whatever happens in whatever order, a request is admitted, waits or is refused as the
// tables say, the limit is that of the table, and no slot is lost.
func TestLimiterFollowsItsTables(t *testing.T) {
	for seed := range uint64(30) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			l := admission.New(time.Now)
			m := &table{limit: admission.Start, windowed: time.Now(), client: map[int]string{}, admitted: map[string]time.Time{}}
			admitted := make(chan *admission.Slot, 10_000)
			var slots []*admission.Slot
			slow := time.Duration(1 + random.IntN(20)) // what is slow for a while is slow for every call
			for n := range 1500 {
				now := time.Now()
				ask := func(n, clients int) {
					client := fmt.Sprint(random.IntN(clients))
					m.ask(n, client, now)
					go func() {
						if s, err := l.Acquire(t.Context(), client); err == nil {
							admitted <- s
						}
					}()
					synctest.Wait()
				}
				switch dice := random.IntN(10); {
				case dice < 4:
					ask(n, 8)
				case dice < 5 && random.IntN(10) == 0: // a flood of some, or of many
					clients := 1 + random.IntN(300)
					for i := range 2 * admission.MostWaiting {
						ask(10_000+1000*n+i, clients)
					}
				case dice < 5 && len(m.waiting) == 0:
					time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond)
				case dice < 7 && len(slots) > 0:
					took := time.Duration(1+random.IntN(3)) * slow * time.Millisecond
					m.observe(took, now)
					l.Observe(took)
					m.grant(now)
					m.used--
					m.grant(now)
					i := random.IntN(len(slots))
					slots[i].End()
					slots[i].End() // the second has no effect
					slots = slices.Delete(slots, i, i+1)
				case dice < 9:
					time.Sleep(time.Duration(random.IntN(30)) * time.Millisecond) // shorter than MostWait in all, see below
				case random.IntN(20) == 0:
					slow = time.Duration(1 + random.IntN(20))
				}
				synctest.Wait()
				m.expire(time.Now())
				for len(admitted) > 0 {
					slots = append(slots, <-admitted)
				}
				if patient := len(m.waiting) > 0 && n%50 == 49; patient { // all that wait are served before MostWait is over
					for len(m.waiting) > 0 {
						m.used--
						m.grant(time.Now())
						slots[0].End()
						slots = slots[1:]
						synctest.Wait()
						for len(admitted) > 0 {
							slots = append(slots, <-admitted)
						}
					}
				}
				f := l.Figures()
				if f.Limit != m.now() || f.Used != m.used || f.Waiting != len(m.waiting) || f.Unloaded != m.unloaded || int(f.Refused) != len(m.refusedN) || len(slots) != m.used {
					t.Fatalf("seed %d, step %d: %+v and %d slots, by the table %+v", seed, n, f, len(slots), m)
				}
				if f.Limit < admission.Least && !m.probing || f.Limit > admission.Most {
					t.Fatalf("seed %d: limit %d", seed, f.Limit)
				}
			}
			for len(slots) > 0 || len(m.waiting) > 0 {
				m.used--
				m.grant(time.Now())
				slots[0].End()
				slots = slots[1:]
				synctest.Wait()
				for len(admitted) > 0 {
					slots = append(slots, <-admitted)
				}
			}
			for range l.Figures().Limit {
				if _, err := l.Acquire(canceled(t), "a"); err != nil {
					t.Fatalf("seed %d: a slot was lost: %v", seed, err)
				}
			}
			if _, err := l.Acquire(canceled(t), "a"); err == nil {
				t.Fatalf("seed %d: there is one slot too many", seed)
			}
		})
	}
}

// canceled is the context of a request that does not wait.
func canceled(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
