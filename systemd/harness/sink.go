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

// Sink stands in for Slack's incoming webhook. It accepts every message, unless
// SetResponses says otherwise.
type Sink struct {
	*httptest.Server
	mu    sync.Mutex
	next  []Response       // under mu; to the next calls, one each
	then  Response         // under mu; to the calls after them
	freed chan struct{}    // under mu; closed to end the calls that hang
	calls []Call           // under mu
	got   []map[string]any // under mu; what people would see
}

// Response is the sink's response to a call. The zero value accepts the message.
type Response struct {
	// Status, if not 0, refuses the message: 429, 500 ...
	Status int
	// RetryAfter is the header of that name, if not "".
	RetryAfter string
	// Hang sends no response until the caller has gone, or until the next
	// SetResponses. People would see the message.
	Hang bool
	// Cut reads the message and closes the connection without a response. People
	// would see the message.
	Cut bool
}

// Call is one POST to the sink.
type Call struct {
	At       time.Duration // see Monotonic
	Response Response
	// Shown says that people would see the message, whatever the response was.
	Shown   bool
	Text    string // the text of the push preview
	AllText string // all texts of the message, one on each line
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
	response, freed := s.record(body)
	switch {
	case response.Hang:
		select {
		case <-r.Context().Done():
		case <-freed:
		}
		panic(http.ErrAbortHandler)
	case response.Cut:
		panic(http.ErrAbortHandler)
	case response.Status != 0:
		if response.RetryAfter != "" {
			w.Header().Set("Retry-After", response.RetryAfter)
		}
		http.Error(w, http.StatusText(response.Status), response.Status)
	default:
		io.WriteString(w, "ok")
	}
}

// record records a call and returns the response to it.
func (s *Sink) record(body map[string]any) (Response, <-chan struct{}) {
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

// SetResponses sets the responses from now on: to the next calls as listed, to all
// later ones then. It ends the calls that hang.
func (s *Sink) SetResponses(then Response, next ...Response) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.then, s.next = then, next
	close(s.freed)
	s.freed = make(chan struct{})
}

// Calls returns the calls since the last Reset whose texts contain all of words.
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

// FindMessage returns the first message whose push preview contains all of words,
// in any case.
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

// Reset forgets all calls and messages.
func (s *Sink) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got, s.calls = nil, nil
}

// Message returns the texts of the first message that contains all of words, one
// on each line; "" if nothing does.
func (s *Sink) Message(words ...string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for _, m := range s.got {
		all := strings.Join(texts(m), "\n")
		for _, w := range words {
			if !strings.Contains(all, w) {
				continue next
			}
		}
		return all
	}
	return ""
}

// Messages returns the texts of each message.
func (s *Sink) Messages() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.got {
		all = append(all, strings.Join(texts(m), "\n"))
	}
	return all
}

// texts returns all strings in a decoded JSON value.
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
