// Package meter measures how busy something is: how much time its work takes, and how
// much of it is in progress at a time; and whether a quantity grows. What is measured is
// in the process alone, and begins again with it; it does no input or output.
package meter

import (
	"sync"
	"time"
)

// Meter adds up the time of everything that is in progress, of two at once twice. Over
// a span of time its growth, divided by the span, is how many were in progress on
// average (L); divided by how many ended, it is how long one took (W): Little's law,
// L = λW. The zero value is ready.
type Meter struct {
	mu    sync.Mutex
	n     int           // under mu; in progress
	spent time.Duration // under mu; until at
	any   time.Duration // under mu; likewise, of two at once once
	at    time.Time     // under mu; of the last change of n
}

// Begin notes that something begins. It ends with the first call of end; more have
// no effect.
func (m *Meter) Begin() (end func()) {
	m.change(1)
	var once sync.Once
	return func() { once.Do(func() { m.change(-1) }) }
}

// Spent is the time of everything that has ended, and of what is in progress until now,
// in microseconds.
func (m *Meter) Spent() int64 {
	spent, _ := m.change(0)
	return spent.Microseconds()
}

// Any is the time in which at least one was in progress, in microseconds. Where they are
// served one after the other it is for how long the server was busy, however many wait.
func (m *Meter) Any() int64 {
	_, any := m.change(0)
	return any.Microseconds()
}

func (m *Meter) change(by int) (spent, any time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now() // under mu: it never goes back
	if m.n > 0 {
		m.spent += time.Duration(m.n) * now.Sub(m.at)
		m.any += now.Sub(m.at)
	}
	m.n, m.at = m.n+by, now
	return m.spent, m.any
}
