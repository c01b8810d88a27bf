package profile_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/inspector/profile"
)

var stop atomic.Bool

// spinUntilStopped computes until stop is set.
func spinUntilStopped(started *sync.WaitGroup) {
	started.Done()
	for !stop.Load() {
	}
}

// What a labelled goroutine starts has its label: of two requests of which one computes,
// that one has the time, and its stack names the loop.
func TestSpinningRequestIsFound(t *testing.T) {
	t.Cleanup(func() { stop.Store(true) })
	var started sync.WaitGroup
	started.Add(2)
	idle := make(chan struct{})
	defer close(idle)
	go profile.Label(t.Context(), "busy", func(context.Context) { go spinUntilStopped(&started) })
	go profile.Label(t.Context(), "idle", func(context.Context) { started.Done(); <-idle })
	started.Wait()

	used, err := profile.CPU(t.Context(), 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if used["busy"] < 20*time.Millisecond || used["busy"] <= used["idle"] || used["idle"] > 10*time.Millisecond {
		t.Errorf("CPU by request: %v, want most of it for busy", used)
	}
	for request, want := range map[string]string{"busy": "spinUntilStopped", "idle": "TestSpinningRequestIsFound"} {
		stacks, err := profile.Stacks(request, 10, 10)
		if err != nil || len(stacks) != 1 || stacks[0].Count != 1 || !strings.Contains(strings.Join(stacks[0].Frames, "\n"), want) || !strings.Contains(strings.Join(stacks[0].Frames, "\n"), "profile/profile_test.go:") {
			t.Errorf("stacks of %s: %v, %v, want one in %s", request, stacks, err, want)
		}
	}
	if stacks, err := profile.Stacks("nobody", 10, 10); err != nil || len(stacks) != 0 {
		t.Errorf("stacks of nobody: %v, %v", stacks, err)
	}
}

// Stacks are bounded in number and frames.
func TestStacksAreBounded(t *testing.T) {
	stacks := make(chan []profile.Stack, 1)
	done := make(chan struct{})
	defer close(done)
	go profile.Label(t.Context(), "deep", func(context.Context) { deepen(50, stacks, done) })
	if got := <-stacks; len(got) != 1 || len(got[0].Frames) != 7 {
		t.Errorf("got %v, want one stack of 7 frames", got)
	}
	if got, err := profile.Stacks("deep", 0, 7); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want none", got, err)
	}
}

func deepen(more int, stacks chan<- []profile.Stack, done <-chan struct{}) {
	if more > 0 {
		deepen(more-1, stacks, done)
		return
	}
	got, _ := profile.Stacks("deep", 10, 7)
	stacks <- got
	<-done
}
