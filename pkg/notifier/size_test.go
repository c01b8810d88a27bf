package notifier_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
)

// narrow takes no body that is larger than most, and keeps those that it takes.
type narrow struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string // under mu
}

func newNarrow(t *testing.T, most, code int, answer string) *narrow {
	s := &narrow{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if len(body) > most {
			http.Error(w, answer, code)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies = append(s.bodies, string(body))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *narrow) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.bodies...)
}

// A digest that a webhook refuses as too large comes in parts, each transition
// once and those of an alarm in order; one transition that is too large by
// itself comes with its texts cut. What follows is not held up.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newNarrow(t, 2200, http.StatusRequestEntityTooLarge, "too much")
	d := newFixture(t, nil)
	d.configure("[[channel]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"" + s.URL + "/\"\n")
	want := map[string][]string{}
	put := func(alarm string, n int, evidence string) {
		r := transition(alarm, n)
		r.Alarm.Evidence = evidence
		d.publish(r)
		want[alarm] = append(want[alarm], r.ID)
	}
	for n := 1; n <= 3; n++ {
		for alarm := range 8 {
			put(fmt.Sprint("page.", alarm), n, "2 of 1")
		}
	}
	for n := 1; n <= 9; n++ {
		put("flaps", n, "2 of 1")
	}
	put("large", 1, strings.Repeat("evidence ", 400))
	d.run()
	total := 3*8 + 9 + 1
	got, sent := map[string][]string{}, 0
	read := func() bool {
		clear(got)
		sent = 0
		for _, body := range s.taken() {
			var b struct {
				Transitions []libra.Transition
				Repeat      bool
			}
			if err := json.Unmarshal([]byte(body), &b); err != nil || b.Repeat {
				t.Fatalf("%v: %s", err, body)
			}
			for _, r := range b.Transitions {
				got[r.Alarm.ID] = append(got[r.Alarm.ID], r.ID)
				sent++
			}
		}
		return sent >= total
	}
	bustest.Await(t, "all of them", read)
	put("web", 1, "2 of 1")
	total++
	bustest.Await(t, "the one after them", read)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("transitions by alarm (-want +got):\n%s", diff)
	}
	if bodies := strings.Join(s.taken(), "\n"); !strings.Contains(bodies, "evidence evidence") || !strings.Contains(bodies, "…") {
		t.Errorf("the large one:\n%s", bodies)
	}
	if !strings.Contains(d.logged(), "notification refused, sending less") {
		t.Errorf("the journal does not say that it was refused:\n%s", d.logged())
	}
	if troubles := d.n.Troubles(); troubles != nil {
		t.Errorf("troubles %v", troubles)
	}
}

// Slack has words of its own for what is too long.
func TestTooLongForSlack(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"msg_too_long", "msg_blocks_too_long"} {
		t.Run(said, func(t *testing.T) {
			t.Parallel()
			s := newNarrow(t, 2500, http.StatusBadRequest, said)
			d := newFixture(t, nil)
			d.credential("slack-webhook", s.URL+"/"+secret)
			for alarm := range 20 {
				d.publish(transition(fmt.Sprint("page.", alarm), 1))
			}
			d.run()
			bustest.Await(t, "all of them", func() bool {
				all := strings.Join(s.taken(), "\n")
				for alarm := range 20 {
					if !strings.Contains(all, fmt.Sprintf("libra-page.%d: number 1", alarm)) && !strings.Contains(all, fmt.Sprintf("libra-page.%d on box: number 1", alarm)) {
						return false
					}
				}
				return true
			})
			if troubles := d.n.Troubles(); troubles != nil {
				t.Errorf("troubles %v", troubles)
			}
		})
	}
}

// Blocks that Slack dislikes become plain text that names every alarm.
func TestWithoutBlocks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var texts []string // under mu
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m slack.WebhookMessage
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		if m.Blocks != nil || len(m.Attachments) > 0 {
			http.Error(w, "invalid_blocks", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		texts = append(texts, m.Text)
	}))
	t.Cleanup(s.Close)
	d := newFixture(t, nil)
	d.credential("slack-webhook", s.URL+"/"+secret)
	for alarm := range 10 {
		d.publish(transition(fmt.Sprint("page.", alarm), 1))
	}
	d.run()
	bustest.Await(t, "all of them", func() bool { mu.Lock(); defer mu.Unlock(); return len(texts) > 0 })
	mu.Lock()
	defer mu.Unlock()
	for alarm := range 10 {
		if line := fmt.Sprintf("\n[major] libra-page.%d: number 1 (major ", alarm); !strings.Contains(texts[0], line) {
			t.Errorf("%q lacks %q", texts[0], line)
		}
	}
}
