package harness

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"
)

// Sink is where the appliance's Slack messages go. It takes them all, unless it
// was told to misbehave.
type Sink struct {
	*httptest.Server
	mu    sync.Mutex
	next  []Response       // under mu; of the next calls, one each
	then  Response         // under mu; of those after them
	freed chan struct{}    // under mu; closed when those that hang need not any more
	calls []Call           // under mu
	got   []map[string]any // under mu; what people see
}

// Response is how the sink treats a call. The zero value takes the message.
type Response struct {
	// Status refuses it, where it is not 0: 429, 500 ...
	Status int
	// RetryAfter is the header of that name, where it is not "".
	RetryAfter string
	// Hang gives no answer until the caller has gone, or until the
	// sink's next Behave. People see the message.
	Hang bool
	// Cut reads all, shows it to people, and ends the connection without an
	// answer.
	Cut bool
}

// Call is one POST to the sink.
type Call struct {
	At       time.Duration // see Monotonic
	Response Response
	// Shown says that people see the message, whatever the caller was told.
	Shown   bool
	Text    string // of the push preview
	AllText string // every text, a line each
}

func newSink() *Sink {
	s := &Sink{freed: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

func (s *Sink) serve(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	}
	answer, freed := s.enter(body)
	switch {
	case answer.Hang:
		select {
		case <-r.Context().Done():
		case <-freed:
		}
		panic(http.ErrAbortHandler)
	case answer.Cut:
		panic(http.ErrAbortHandler)
	case answer.Status != 0:
		if answer.RetryAfter != "" {
			w.Header().Set("Retry-After", answer.RetryAfter)
		}
		http.Error(w, http.StatusText(answer.Status), answer.Status)
	default:
		io.WriteString(w, "ok")
	}
}

// enter notes a call and says how it is answered.
func (s *Sink) enter(body map[string]any) (Response, <-chan struct{}) {
	at := Monotonic()
	text, _ := body["text"].(string)
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.then
	if len(s.next) > 0 {
		a, s.next = s.next[0], s.next[1:]
	}
	shown := a.Status == 0
	s.calls = append(s.calls, Call{At: at, Response: a, Shown: shown, Text: text, AllText: strings.Join(texts(body), "\n")})
	if shown {
		s.got = append(s.got, body)
	}
	return a, s.freed
}

// Behave says how calls are answered from now on: the next ones as listed, all
// after them as then says. It ends those that hang.
func (s *Sink) SetResponses(then Response, next ...Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.then, s.next = then, next
	close(s.freed)
	s.freed = make(chan struct{})
}

// Calls returns every call, since the last Forget, whose texts hold all of
// words.
func (s *Sink) Calls(words ...string) (list []Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for _, c := range s.calls {
		for _, w := range words {
			if !strings.Contains(c.AllText, w) {
				continue next
			}
		}
		list = append(list, c)
	}
	return list
}

// Find returns the first message whose text holds every one of words.
func (s *Sink) FindMessage(words ...string) map[string]any {
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
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got, s.calls = nil, nil
}

// Said returns the texts of the first message that holds every one of words,
// wherever in it, a line each; "" where there is none.
func (s *Sink) Message(words ...string) string {
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
func (s *Sink) Messages() (all []string) {
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
