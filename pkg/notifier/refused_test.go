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
	"time"

	"github.com/emersion/go-smtp"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// poison is a word that a provider refuses in every form of a message.
const poison = "poisonous"

// poisoned is a transition with that word in its summary, evidence and target.
func poisoned(n int) libra.Transition {
	t := transition("page.down.p", n)
	t.Alarm.Summary, t.Alarm.Evidence, t.Alarm.Target = "The "+poison+" page", poison, "https://example.org/"+poison
	return t
}

// picky is a provider over HTTP that refuses messages with a word in them.
type picky struct {
	*httptest.Server
	mu    sync.Mutex
	taken []string // under mu; bodies, without the form's encoding
}

func newPicky(t *testing.T, word string, refuse, accept http.HandlerFunc) *picky {
	p := &picky{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if strings.Contains(string(data), word) {
			refuse(w, r)
			return
		}
		p.taken = append(p.taken, strings.ReplaceAll(string(data), "+", " "))
		accept(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *picky) bodies() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string{}, p.taken...)
}

// provided is a channel of each kind that refuses poison in one of its ways.
type provided struct {
	name, file string
	refuse     http.HandlerFunc
	accept     http.HandlerFunc
	answer     string // of the provider
}

func providers() []provided {
	const slackFile = "[[channel]]\nname = \"ops\"\ntype = \"slack\"\ncredential = \"slack\"\n"
	const hookFile = "[[channel]]\nname = \"ops\"\ntype = \"webhook\"\nurl_credential = \"hook\"\n"
	const phoneFile = "[[channel]]\nname = \"ops\"\ntype = \"shoutrrr\"\ncredential = \"phone\"\n"
	bot := strings.Replace(botFile, `"bot"`, `"ops"`, 1) + `"URL/"`
	posted := answers(200, `{"ok":true,"channel":"C1","ts":"1.2"}`)
	var list []provided
	for _, said := range []string{"invalid_blocks", "invalid_payload", "too_many_attachments", "msg_too_long", ""} {
		list = append(list, provided{"slack 400 " + said, slackFile, answers(400, said), answers(200, "ok"), "Slack answered 400 Bad Request"})
	}
	for _, said := range []string{"invalid_blocks", "invalid_attachments", "invalid_arguments", "msg_too_long", "no_text"} {
		list = append(list, provided{"slack-bot " + said, bot, answers(200, `{"ok":false,"error":"`+said+`"}`), posted, fmt.Sprintf("Slack answered %q", said)})
	}
	for _, code := range []int{400, 406, 413, 415, 422, 431} {
		said := fmt.Sprintf("%d %s", code, http.StatusText(code))
		list = append(list, provided{"webhook " + said, hookFile, answers(code, "no"), answers(204, ""), "the webhook answered " + said})
		list = append(list, provided{"shoutrrr " + said, phoneFile, answers(code, "no"), answers(200, ""), "unexpected response status code: " + said})
	}
	return append(list, provided{"slack-bot 400", bot, answers(400, ""), posted, "Slack answered 400 Bad Request"})
}

// Whatever the kind of the channel, a notification that its provider refuses for
// good holds nothing up: a notice comes in its place, the next ones come whole,
// its clear too, and the alarm's timeline and an alarm say what was refused.
func TestNotificationRefusedForGood(t *testing.T) {
	t.Parallel()
	for _, c := range providers() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPicky(t, poison, c.refuse, c.accept)
			d := newFixture(t, nil)
			d.credential("slack", p.URL+"/services/"+secret)
			d.credential("hook", p.URL+"/hook/"+secret)
			d.credential("token", "xoxb-"+secret)
			d.credential("phone", "generic://"+strings.TrimPrefix(p.URL, "http://")+"/"+secret+"?disabletls=yes")
			d.configure(strings.ReplaceAll(c.file, "URL", p.URL))
			d.run()
			timeline := d.timeline(t)
			d.publish(poisoned(1))
			d.publish(transition("web", 1))
			bustest.Await(t, "the notice and the next", func() bool { return len(p.bodies()) == 2 })
			d.publish(transition("page.down.p", 2)) // the clear, without the word
			bustest.Await(t, "the clear", func() bool { return len(p.bodies()) >= 3 })
			for i, want := range []string{
				"An alarm was raised on box. This channel refused the text about it", "number 1", "number 2",
			} {
				if got := p.bodies()[i]; !strings.Contains(got, want) {
					t.Errorf("message %d: %s\nwant %q", i, got, want)
				}
			}
			bustest.Await(t, "the note", func() bool {
				return timeline("page.down.p", "ops refused the text of the notification \"raised\"", c.answer)
			})
			troubles := d.n.Troubles()
			if len(troubles) != 1 || troubles[0].ID != "channel.ops.refused" || troubles[0].Runbook != "#channel" ||
				!strings.Contains(troubles[0].Evidence, "about the alarm page.down.p: ") || !strings.Contains(troubles[0].Evidence, c.answer) {
				t.Fatalf("troubles %+v", troubles)
			}
			if strings.Contains(troubles[0].Summary+troubles[0].Evidence, poison) {
				t.Errorf("the alarm about it would be refused, too: %+v", troubles[0])
			}
			bustest.Await(t, "a test message", func() bool { return d.n.Try(t.Context(), "ops").OK }) // while a call is in progress, none is sent
			if troubles := d.n.Troubles(); troubles != nil {
				t.Errorf("after a test that arrived: troubles %+v", troubles)
			}
		})
	}
}

// timeline reports whether the bus has a note about an alarm with all of words.
func (d *fixture) timeline(t *testing.T) func(alarm string, words ...string) bool {
	var mu sync.Mutex
	var notes []libra.Note // under mu
	done := make(chan struct{})
	b := d.bus.Connect("web")
	go func() {
		defer close(done)
		_ = b.ConsumeNotes(t.Context(), func() {}, func(n libra.Note) { mu.Lock(); defer mu.Unlock(); notes = append(notes, n) })
	}()
	t.Cleanup(func() { <-done })
	return func(alarm string, words ...string) bool {
		mu.Lock()
		defer mu.Unlock()
		for _, n := range notes {
			if n.Alarm == alarm && hasAll(n.Text, words) {
				return true
			}
		}
		return false
	}
}

func hasAll(text string, words []string) bool {
	for _, w := range words {
		if !strings.Contains(text, w) {
			return false
		}
	}
	return true
}

// A mail server refuses the content of a mail, and takes the next ones.
func TestMailRefusedForGood(t *testing.T) {
	t.Parallel()
	for _, code := range []int{550, 552, 554} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			p := newPostOffice(t, false, welcome)
			p.judge = func(mail string) error {
				if strings.Contains(mail, poison) {
					return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "content refused"}
				}
				return nil
			}
			d := newFixture(t, nil)
			d.cfg.MailRoots = p.roots
			d.credential("password", secret)
			d.configure(mailFile(p, login))
			d.run()
			d.publish(poisoned(1))
			d.publish(transition("web", 1))
			bustest.Await(t, "the notice and the next", func() bool { return len(p.got()) == 2 })
			for i, want := range []string{"An alarm was raised on box", "number 1"} {
				if !strings.Contains(p.got()[i], want) {
					t.Errorf("mail %d: %s\nwant %q", i, p.got()[i], want)
				}
			}
			if troubles := d.n.Troubles(); len(troubles) != 1 || !strings.Contains(troubles[0].Evidence, "content refused") {
				t.Errorf("troubles %+v", troubles)
			}
		})
	}
}

// One poisonous notification of a digest costs the others nothing.
func TestRefusedInADigest(t *testing.T) {
	t.Parallel()
	p := newPicky(t, poison, answers(400, "no"), answers(204, ""))
	d := newFixture(t, nil)
	d.configure("[[channel]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"" + p.URL + "\"\n")
	want := map[string]bool{}
	for n := range 12 {
		r := transition(fmt.Sprint("page.", n), 1)
		d.publish(r)
		want[r.ID] = true
		if n == 5 {
			d.publish(poisoned(1))
		}
	}
	d.run()
	notices := 0
	bustest.Await(t, "all of them", func() bool {
		notices = 0
		for _, body := range p.bodies() {
			var b struct{ Transitions []libra.Transition }
			if err := json.Unmarshal([]byte(body), &b); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.Transitions {
				delete(want, r.ID)
			}
			if len(b.Transitions) == 0 {
				notices++
			}
		}
		return len(want) == 0 && notices > 0
	})
	if notices != 1 {
		t.Errorf("%d notices", notices)
	}
}

// A channel that refuses everything, though with a status that could be about one
// message, is waited for: what it refused comes whole when it is corrected.
func TestChannelThatRefusesEverything(t *testing.T) {
	t.Parallel()
	refuse := sync.Map{}
	refuse.Store("now", true)
	s := newPicky(t, "", func(w http.ResponseWriter, r *http.Request) {
		if _, no := refuse.Load("now"); no {
			answers(400, "no")(w, r)
		}
	}, nil)
	d := newFixture(t, nil)
	d.configure("[[channel]]\nname = \"ops\"\ntype = \"webhook\"\nurl = \"" + s.URL + "\"\n")
	d.run()
	d.publish(poisoned(1))
	d.publish(transition("web", 1))
	bustest.Await(t, "the trouble", func() bool { return len(d.n.Troubles()) == 1 })
	if tr := d.n.Troubles()[0]; tr.ID != "channel.ops" || !strings.HasSuffix(tr.Evidence, "it refuses even a message without the texts of the alarm") {
		t.Errorf("trouble %+v", tr)
	}
	refuse.Delete("now")
	bustest.Await(t, "both", func() bool { return strings.Contains(d.said(), "2 sent") })
	if troubles := d.n.Troubles(); troubles != nil {
		t.Errorf("troubles %+v", troubles)
	}
}

// What refuses the channel as such is no fault of the message: it waits, whole.
func TestChannelRefusedWaits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code int
		said string
	}{{401, ""}, {403, "invalid_token"}, {404, "no_service"}, {410, "channel_is_archived"}, {400, "user_not_found"}, {400, "invalid_token"}} {
		t.Run(fmt.Sprint(c.code, " ", c.said), func(t *testing.T) {
			t.Parallel()
			s := newSink(t, answers(c.code, c.said), answers(c.code, c.said), answers(c.code, c.said), answers(c.code, c.said), answers(c.code, c.said))
			d := newFixture(t, s)
			d.run()
			d.publish(transition("web", 1))
			wantTexts(t, s, text(1))
			if strings.Contains(d.logged(), "sending less") {
				t.Errorf("the message was blamed:\n%s", d.logged())
			}
		})
	}
}

// refuses is a provider's refusal of one message.
func refuses() error { return notifier.RefusedMessage("400 invalid_blocks") }

const notice = "ops: [critical] An alarm was raised on box. This channel refused the text about it"

// Killed at any step while a notification is refused for good, the notifier sets
// it aside once, and sends what follows.
func TestKilledWhileRefused(t *testing.T) {
	for _, k := range []struct {
		name string
		at   step
		nth  int
		want []string
	}{
		{"before the first attempt", calling, 0, []string{notice, busDown}},
		{"before the cut one", calling, 1, []string{notice, busDown}},
		{"before the notice", calling, 2, []string{notice, busDown}},
		{"when the notice was accepted", answering, 0, []string{notice, notice + maybeRepeat, busDown}},
		{"before the acknowledgement", acking, 0, []string{notice, busDown}},
		{"after it", acked, 0, []string{notice, busDown}},
	} {
		t.Run(k.name, func(t *testing.T) {
			tale(t, oneChannel, func(t *testing.T, s *story) {
				s.refuseText("web on box")
				killed{at: k.at, nth: k.nth, do: func(s *story) { sayWeb(s); s.say(s.alarm("bus")); s.pass(5 * time.Second) }}.killHere(t, s)
				s.pass(time.Minute)
				for i, line := range s.sent { // whether an attempt was made before cannot be known
					if k.at == calling {
						s.sent[i] = strings.TrimSuffix(line, maybeRepeat)
					}
				}
				s.withoutTimes()
				s.want(k.want...)
				if troubles := s.n.Troubles(); len(troubles) != 1 || !strings.Contains(troubles[0].Evidence, "1 notification refused") {
					t.Errorf("troubles %+v", troubles)
				}
				s.clear(s.stream[0].Alarm)
				s.pass(25 * time.Hour)
				if troubles := s.n.Troubles(); troubles != nil {
					t.Errorf("a day later: troubles %+v", troubles)
				}
			})
		})
	}
}

// What is remembered of refused notifications is bounded.
func TestRefusedAreBounded(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.refuseText("bad")
		for n := range 60 {
			s.say(s.alarm(fmt.Sprint("bad.", n, strings.Repeat(".x", 500))))
			s.pass(20 * time.Second)
		}
		troubles := s.n.Troubles()
		if len(troubles) != 1 || !strings.HasPrefix(troubles[0].Evidence, "20 notifications or more refused") || len(troubles[0].Evidence) > 2000 {
			t.Errorf("troubles %+v", troubles)
		}
		if n, _ := s.counts(); n != 60 {
			t.Errorf("%d messages", n)
		}
	})
}
