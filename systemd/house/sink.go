package house

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
)

// Sink is where the appliance's Slack messages go.
type Sink struct {
	*httptest.Server
	mu  sync.Mutex
	got []map[string]any // under mu
}

func newSink() *Sink {
	s := &Sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		s.mu.Lock()
		s.got = append(s.got, body)
		s.mu.Unlock()
		io.WriteString(w, "ok")
	}))
	return s
}

// Find returns the first message whose text holds every one of words.
func (s *Sink) Find(words ...string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for _, m := range s.got {
		text, _ := m["text"].(string)
		for _, w := range words {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
				continue next
			}
		}
		return m
	}
	return nil
}

// Forget empties the sink.
func (s *Sink) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = nil
}
