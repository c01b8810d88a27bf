package bustest

import (
	"sync"
	"testing"
	"time"
)

// Loop is a bus.Loop that remembers what was declared to it.
type Loop struct {
	mu      sync.Mutex
	rounds  int           // under mu
	at      time.Time     // under mu; of the last declaration
	allowed time.Duration // under mu; what it declared
	late    time.Duration // under mu; the most by which one was exceeded
	longest time.Duration // under mu; of the declarations
}

// Allow is bus.Loop's.
func (l *Loop) Allow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.note()
	l.rounds++
	l.at, l.allowed, l.longest = time.Now(), d, max(l.longest, d)
}

// note keeps by how much the last declaration has been exceeded; mu is held.
func (l *Loop) note() {
	if l.rounds > 0 {
		l.late = max(l.late, time.Since(l.at)-l.allowed)
	}
}

// Rounds counts the declarations.
func (l *Loop) Rounds() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rounds
}

// Longest is the longest time that was declared.
func (l *Loop) Longest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.longest
}

// InTime fails the test when a declaration was exceeded until now.
func (l *Loop) InTime(t testing.TB, name string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.note(); l.late > 0 {
		t.Errorf("the loop %s took %s longer than it had declared", name, l.late)
	}
}
