//go:build appliance

package faults_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"libra/systemd/harness"
)

// board writes notes on the board during a row, one after the other. One that is refused or
// gets no answer is sent again with the same id.
type board struct {
	row    string // begins its texts
	client http.Client
	end    context.CancelFunc
	ended  chan struct{}

	turn    sync.Mutex // held while a note is being written, and while it pauses
	pausing bool       // of the row

	mu        sync.Mutex
	accepted  []string // under mu; texts, in order
	attempts  int      // under mu; that were refused or had no answer
	surprises []string // under mu; answers that are neither 2xx nor 503
}

const (
	boardEvery = 250 * time.Millisecond
	boardAgain = 50 * time.Millisecond
)

func startBoard(ctx context.Context, row string) *board {
	ctx, end := context.WithCancel(ctx)
	b := &board{row: row, client: http.Client{Timeout: 5 * time.Second}, end: end, ended: make(chan struct{})}
	go func() {
		defer close(b.ended)
		for n := 0; ctx.Err() == nil; n++ {
			b.turn.Lock()
			b.write(ctx, fmt.Sprintf("%s note %d", row, n))
			b.turn.Unlock()
			wait(ctx, boardEvery)
		}
	}()
	return b
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// write sends a note until it is accepted, or ctx ends.
func (b *board) write(ctx context.Context, text string) {
	body := fmt.Sprintf(`{"text":%q,"author":"faults","id":%q}`, text, strings.ReplaceAll(text, " ", "-"))
	for ctx.Err() == nil {
		code := 0
		res, err := b.client.Post(box.URL+"/api/board", "application/json", strings.NewReader(body))
		if err == nil {
			code = res.StatusCode
			res.Body.Close()
		}
		b.mu.Lock()
		switch {
		case code/100 == 2:
			b.accepted = append(b.accepted, text)
			b.mu.Unlock()
			return
		case code != 0 && (code != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == ""):
			b.surprises = append(b.surprises, res.Status)
		}
		b.attempts++
		b.mu.Unlock()
		wait(ctx, boardAgain)
	}
}

// pause waits until the last note is accepted, for at most the time most, and then no
// other is written until resume.
func (b *board) pause(most time.Duration) bool {
	if !b.pausing {
		_, b.pausing = harness.Within(most, b.turn.TryLock)
	}
	return b.pausing
}

func (b *board) resume() { b.pausing = false; b.turn.Unlock() }

// forget forgets the notes so far, all copies of which are lost.
func (b *board) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted = nil
}

// stop ends it; nothing is accepted afterwards.
func (b *board) stop() {
	b.end()
	if b.pausing {
		b.resume()
	}
	<-b.ended
}

// wantBoard pauses writing, and wants each accepted note on the board and in SQLite, once
// and in the order in which they were written.
func (s *trial) wantBoard(most time.Duration) {
	s.Helper()
	paused := s.board.pause(most)
	s.board.mu.Lock()
	want, attempts, surprises := s.board.accepted, s.board.attempts, s.board.surprises
	s.board.mu.Unlock()
	s.check(paused && len(surprises) == 0, "board: the last note is accepted: %t, answers other than 2xx and 503 with Retry-After: %v", paused, surprises)
	var shown, recorded []string
	var fault error
	took, ok := harness.Within(most, func() bool {
		shown = s.shownNotes()
		recorded, fault = box.RecordedBoard(s.board.row + " ")
		return slices.Equal(shown, want) && slices.Equal(recorded, want)
	})
	s.check(ok, "board: of %d notes %s are shown, %s recorded, %s later (%v)", len(want), difference(want, shown), difference(want, recorded), took.Round(time.Second), fault)
	s.row.board = fmt.Sprintf("%d notes on the board", len(want))
	if attempts > 0 {
		s.row.board += fmt.Sprintf(", after %d attempts more", attempts)
	}
}

// difference says how two lists of notes differ.
func difference(want, got []string) string {
	missing := slices.DeleteFunc(slices.Clone(want), func(text string) bool { return slices.Contains(got, text) })
	sorted := slices.Clone(got)
	slices.Sort(sorted)
	return fmt.Sprintf("%d (missing %.200q, %d twice, in order %t)", len(got), missing, len(got)-len(slices.Compact(sorted)), slices.Equal(slices.DeleteFunc(slices.Clone(got), func(text string) bool { return !slices.Contains(want, text) }), want))
}

// shownNotes lists the notes of the row that the API shows, the oldest first.
func (s *trial) shownNotes() (texts []string) {
	after := ""
	for {
		var part struct {
			Notes []struct{ Text string }
			Next  string
		}
		code, body := box.Get(s, "/api/board?limit=500&after="+url.QueryEscape(after))
		if code != http.StatusOK || json.Unmarshal([]byte(body), &part) != nil {
			return nil
		}
		for _, n := range part.Notes {
			if strings.HasPrefix(n.Text, s.board.row+" ") {
				texts = append(texts, n.Text)
			}
		}
		if after = part.Next; after == "" {
			slices.Reverse(texts)
			return texts
		}
	}
}
