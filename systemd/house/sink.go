package house

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
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

// Said returns the texts of the first message that holds every one of words,
// wherever in it, a line each; "" where there is none.
func (s *Sink) Said(words ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for _, m := range s.got {
		said := strings.Join(texts(m), "\n")
		for _, w := range words {
			if !strings.Contains(said, w) {
				continue next
			}
		}
		return said
	}
	return ""
}

// All returns the texts of every message.
func (s *Sink) All() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		all = append(all, strings.Join(texts(m), "\n"))
	}
	return all
}

// texts are the strings in a decoded JSON value.
func texts(v any) (all []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			all = append(all, texts(e)...)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			all = append(all, texts(v[k])...)
		}
	}
	return all
}
