package broker_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
)

// row is what a component may do on the bus, beside its heartbeat and its inbox.
type row struct {
	publish, subscribe []string
	look               []string // streams: state, and the newest message of a subject
	read               []string // streams: the same, and any consumer of them
	consume            []string // "stream consumer": the same of one consumer, and acknowledge
	exactly            []string // single subjects of JetStream
}

// rows is the bus's table of docs/architecture.md, by role. The bus's own key permits
// everything, and is not here.
var rows = map[string]row{
	"web": {
		publish:   []string{"libra.request.>", "libra.wake.*.*", "libra.worker.*", "libra.note.>", "libra.board.*", "libra.schedule.*", "libra.channel.*", "libra.hold.*"},
		subscribe: []string{"libra.request.>", "libra.step.*", "libra.beat.>"},
		look:      []string{"REQUESTS"},
		read:      []string{"REPORTS", "ALARMS", "NOTES", "BOARD", "WATCHES", "HOSTS"},
	},
	"inspector": {
		publish:   []string{"libra.report.>", "libra.step.*", "libra.host.*", "libra.probe.*"},
		subscribe: []string{"libra.wake.*.*", "libra.worker.*", "libra.host.*", "libra.hold.*", "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.REQUESTS.*"},
		exactly: []string{
			"$JS.API.CONSUMER.MSG.NEXT.REQUESTS.*", "$JS.ACK.REQUESTS.>", "$JS.API.DIRECT.GET.REPORTS.libra.report.*",
			"$JS.API.DIRECT.GET.HOSTS.libra.host.*", "$JS.API.DIRECT.GET.HOSTS.libra.hold.*",
		},
	},
	"recorder": {
		publish: []string{"libra.report.>", "libra.note.>", "libra.board.*", "libra.schedule.*"},
		look:    []string{"REPORTS", "ALARMS", "NOTES", "BOARD", "WATCHES"},
		consume: []string{"REPORTS recorder", "ALARMS recorder", "NOTES recorder", "BOARD recorder", "WATCHES recorder"},
	},
	"watchdog": {
		publish:   []string{"libra.alarm.>", "libra.note.>", "libra.due.*"},
		subscribe: []string{"libra.beat.>"},
		look:      []string{"REQUESTS", "NOTES"},
		read:      []string{"REPORTS", "ALARMS", "WATCHES"},
		consume:   []string{"REPORTS watchdog"},
		exactly:   []string{"$JS.API.STREAM.INFO.HOSTS", "$JS.API.STREAM.INFO.BOARD"},
	},
	"notifier": {
		publish:   []string{"libra.note.>"},
		subscribe: []string{"libra.channel.*"},
		look:      []string{"ALARMS"},
		read:      []string{"NOTES"},
		consume:   []string{"ALARMS *"},
	},
	"lab": {},
}

// permits lists what a row permits to publish.
func (r row) permits() []string {
	list := slices.Concat(r.publish, r.exactly)
	look := func(stream string) {
		list = append(list, "$JS.API.STREAM.INFO."+stream, "$JS.API.DIRECT.GET."+stream+".>")
	}
	consumer := func(stream, name string) {
		for _, op := range []string{"CREATE", "INFO", "DELETE", "MSG.NEXT"} {
			list = append(list, "$JS.API.CONSUMER."+op+"."+stream+"."+name)
		}
		list = append(list, "$JS.API.CONSUMER.CREATE."+stream+"."+name+".>")
	}
	for _, stream := range r.look {
		look(stream)
	}
	for _, stream := range r.read {
		look(stream)
		consumer(stream, "*")
	}
	for _, both := range r.consume {
		stream, name, _ := strings.Cut(both, " ")
		consumer(stream, name)
		list = append(list, "$JS.ACK."+stream+"."+name+".>")
	}
	return list
}

// everything is one subject of each kind that there is: of Libra, of JetStream for each
// stream, of the server itself, and those of others' replies.
func everything() []string {
	list := []string{
		"libra.request.1.1.home.alice.p1", "libra.report.p1", "libra.report.p1.failed", "libra.alarm.bus", "libra.note.bus", "libra.board.n1", "libra.schedule.p1", "libra.due.p1",
		"libra.channel.ops", "libra.wake.1.1", "libra.step.p1", "libra.worker.p1", "libra.host.h", "libra.probe.h", "libra.hold.h", "libra.other.p1", "other", "_R_.x.y", "$SRV.PING",
		"$SYS.REQ.SERVER.PING", "$SYS.REQ.ACCOUNT.LIBRA.CONNZ", "$SYS.REQ.SERVER.PING.KICK", "$SYS.ACCOUNT.LIBRA.CONNECT",
		"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST", "$JS.API.META.LEADER.STEPDOWN", "$JS.API.SERVER.REMOVE", "$JS.API.ACCOUNT.PURGE.LIBRA",
		"$JS.EVENT.ADVISORY.API", "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.REQUESTS.lane-1", "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.REPORTS.recorder", "$JSC.R.x",
	}
	for _, c := range component.All() {
		list = append(list, event.HeartbeatSubject(c.Name, "1"), "_INBOX_"+c.Role+".x")
	}
	for _, stream := range append(event.Streams(), "OTHER") {
		for _, op := range []string{"CREATE", "UPDATE", "INFO", "DELETE", "PURGE", "SNAPSHOT", "RESTORE", "MSG.GET", "MSG.DELETE", "PEER.REMOVE", "LEADER.STEPDOWN"} {
			list = append(list, "$JS.API.STREAM."+op+"."+stream)
		}
		list = append(list, "$JS.API.DIRECT.GET."+stream, "$JS.API.DIRECT.GET."+stream+".libra.report.p1", "$JS.API.DIRECT.GET."+stream+".libra.alarm.bus", "$JS.API.DIRECT.GET."+stream+".libra.host.h",
			"$JS.API.CONSUMER.CREATE."+stream, "$JS.API.CONSUMER.NAMES."+stream, "$JS.API.CONSUMER.LIST."+stream)
		for _, name := range []string{"recorder", "watchdog", "notifier", "due", "lane-1", "other"} {
			for _, op := range []string{"CREATE", "DURABLE.CREATE", "INFO", "DELETE", "PAUSE", "RESET", "UNPIN", "LEADER.STEPDOWN", "MSG.NEXT"} {
				list = append(list, "$JS.API.CONSUMER."+op+"."+stream+"."+name)
			}
			list = append(list, "$JS.API.CONSUMER.CREATE."+stream+"."+name+".libra.report.p1", "$JS.ACK."+stream+"."+name+".1.1.1.1.0", "$JS.FC."+stream+"."+name+".x")
		}
	}
	return list
}

// matchesSubject is NATS's rule for wildcards.
func matchesSubject(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i, token := range p {
		if token == ">" {
			return len(s) > i
		}
		if i >= len(s) || token != "*" && token != s[i] {
			return false
		}
	}
	return len(p) == len(s)
}

func within(patterns []string, subject string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matchesSubject(p, subject) })
}

var violation = regexp.MustCompile(`permissions violation for (publish|subscription) to "([^"]+)"`)

// Every component's key permits exactly its row: each subject of Libra, of JetStream and
// of the server is tried with each key, to publish and to subscribe.
func TestMatrix(t *testing.T) {
	var keys string
	b, err := start(t, func(c *broker.Config) { keys = filepath.Dir(c.Keys) })
	if err != nil {
		t.Fatal(err)
	}
	all := everything()
	for _, c := range component.All() {
		if c.Role == "bus" {
			continue
		}
		r, known := rows[c.Role]
		if !known {
			t.Errorf("no row for the role %s", c.Role)
		}
		denied := tryAll(t, b, filepath.Join(keys, c.Role+".nk"), all)
		own := "libra.beat." + c.Name + ".*"
		mayPublish, maySubscribe := append(r.permits(), own), append(r.subscribe, "_INBOX_"+c.Role+".>")
		for _, subject := range all {
			if got, want := !denied["publish "+subject], within(mayPublish, subject) && !takes(c.Role, subject); got != want {
				t.Errorf("%s may publish to %s: %v, by its row: %v", c.Role, subject, got, want)
			}
			if got, want := !denied["subscription "+subject], within(maySubscribe, subject); got != want {
				t.Errorf("%s may subscribe to %s: %v, by its row: %v", c.Role, subject, got, want)
			}
		}
	}
}

// takes reports whether subject asks for messages of another's consumer.
func takes(role, subject string) bool {
	name, next := strings.CutPrefix(subject, "$JS.API.CONSUMER.MSG.NEXT.")
	_, name, _ = strings.Cut(name, ".")
	return next && name != role && slices.Contains([]string{"bus", "web", "inspector", "recorder", "watchdog", "notifier", "due"}, name)
}

// tryAll publishes to and subscribes to each subject, and returns what was denied.
func tryAll(t *testing.T, b *broker.Broker, seed string, subjects []string) map[string]bool {
	t.Helper()
	const last = "last.of.all" // which nobody may publish to
	var mu sync.Mutex
	denied, done := map[string]bool{}, make(chan struct{})
	key, err := nats.NkeyOptionFromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+b.Addr(), key, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		m := violation.FindStringSubmatch(strings.ToLower(err.Error()))
		if m == nil || !errors.Is(err, nats.ErrPermissionViolation) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if denied[m[1]+" "+m[2]] = true; m[2] == last {
			close(done)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for _, subject := range append(slices.Clone(subjects), last) {
		if subject != last {
			if _, err := nc.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the bus denies nothing")
	}
	mu.Lock()
	defer mu.Unlock()
	restored := map[string]bool{}
	for _, subject := range subjects { // the client has the errors in small letters
		for _, op := range []string{"publish ", "subscription "} {
			restored[op+subject] = denied[op+strings.ToLower(subject)]
		}
	}
	return restored
}

// No component reaches beyond its row through what others send for it. A reply to its
// question stays in its own account: it can name the subject of an alarm, or of
// JetStream's own, without effect. Nor can it have a consumer deliver there, or use
// another component's.
func TestForgesNothing(t *testing.T) {
	var keys string
	b, err := start(t, func(c *broker.Config) { keys = filepath.Dir(c.Keys) })
	if err != nil {
		t.Fatal(err)
	}
	connect := func(role string) *nats.Conn {
		key, err := nats.NkeyOptionFromSeed(filepath.Join(keys, role+".nk"))
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect("nats://"+b.Addr(), key, nats.CustomInboxPrefix("_INBOX_"+role),
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})) // what is denied is not the matter here
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	conn, err := bus.Connect(bus.Config{URL: "nats://" + b.Addr(), Seed: filepath.Join(keys, "bus.nk"), Role: "bus", Name: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.EnsureStreams(t.Context(), bus.Space{Bytes: b.Space()}); err != nil {
		t.Fatal(err)
	}
	if err := conn.ServeConsumers(broker.Roles()); err != nil {
		t.Fatal(err)
	}
	js, err := connect("bus").JetStream()
	if err != nil {
		t.Fatal(err)
	}
	const forged = `{"id":"t1","alarm":{"id":"bus","state":"raised"}}`
	stored := map[string]uint64{} // by stream, what is to be there at the end
	for subject, stream := range map[string]string{
		event.ReportSubject("p1"): event.ReportStream, "libra.note.x": event.NoteStream, "libra.board.n1": event.BoardStream, event.WatchSubject("p1"): event.WatchStream,
		"libra.host.h": event.HostStream, event.RequestSubject(1, event.Request{Page: "p1"}): event.RequestStream, "libra.alarm.x": event.AlarmStream,
	} {
		if _, err := js.Publish(subject, []byte(forged)); err != nil {
			t.Fatal(err)
		}
		stored[stream] = 1
	}
	for name, stream := range map[string]string{"recorder": event.ReportStream, "watchdog": event.ReportStream, "notifier-ops": event.AlarmStream} {
		if _, err := js.AddConsumer(stream, &nats.ConsumerConfig{Durable: name, AckPolicy: nats.AckExplicitPolicy}); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range component.All() {
		if c.Role != "bus" {
			forge(t, connect(c.Role), c.Role)
		}
	}
	for stream, want := range stored {
		info, err := js.StreamInfo(stream)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.State.LastSeq - max(info.Config.FirstSeq, 1) + 1; got != want || info.State.Msgs != want {
			t.Errorf("%s has stored %d messages and has %d, want %d", stream, got, info.State.Msgs, want)
		}
		for c := range js.Consumers(stream) {
			if to := c.Config.DeliverSubject; to != "" {
				t.Errorf("consumer %s of %s delivers to %s", c.Name, stream, to)
			}
		}
	}
	for name, stream := range map[string]string{"recorder": event.ReportStream, "watchdog": event.ReportStream, "notifier-ops": event.AlarmStream} {
		if info, err := js.ConsumerInfo(stream, name); err != nil || info.Delivered.Consumer != 0 || info.Config.AckPolicy != nats.AckExplicitPolicy {
			t.Errorf("consumer %s of %s: %+v, %v; want it as it was", name, stream, info, err)
		}
	}
}

// forge asks for everything that a role may ask JetStream for, with replies that are to go
// to subjects which it may not use, and has consumers made that are to deliver there.
func forge(t *testing.T, nc *nats.Conn, role string) {
	t.Helper()
	targets := []string{"libra.alarm.bus", "$JS.API.STREAM.DELETE.NOTES", "libra.request.1.1.home.alice.p2", "libra.hold.h2"}
	for _, stream := range event.Streams() {
		asks := []string{"$JS.API.STREAM.INFO." + stream, "$JS.API.CONSUMER.MSG.NEXT." + stream + ".lane-1"}
		for _, subject := range []string{"libra.report.p1", "libra.note.x", "libra.host.h", "libra.alarm.x", "libra.schedule.p1", "libra.none.x"} {
			asks = append(asks, "$JS.API.DIRECT.GET."+stream+"."+subject)
		}
		for _, to := range targets {
			if within(rows[role].publish, to) {
				continue
			}
			for _, ask := range asks {
				if err := nc.PublishRequest(ask, to, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, field := range []string{"deliver_subject", "Deliver_Subject"} {
				for _, name := range []string{role, role + "-1"} {
					ask := fmt.Sprintf(`{"stream_name": %q, "config": {"name": %q, "deliver_policy": "all", "ack_policy": "none", %q: %q}}`, stream, name, field, to)
					if err := nc.PublishRequest("$JS.API.CONSUMER.CREATE."+stream+"."+name, nc.NewInbox(), []byte(ask)); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		for _, name := range []string{"recorder", "watchdog", "notifier-ops", "due", "lane-1"} {
			if name == role || strings.HasPrefix(name, role+"-") {
				continue
			}
			ask := fmt.Sprintf(`{"stream_name": %q, "config": {"durable_name": %q, "name": %q, "deliver_policy": "new", "ack_policy": "none"}}`, stream, name, name)
			for op, body := range map[string]string{"CREATE": ask, "MSG.NEXT": `{"batch": 1, "no_wait": true}`, "DELETE": ""} {
				if op == "MSG.NEXT" && !takes(role, "$JS.API.CONSUMER.MSG.NEXT."+stream+"."+name) {
					continue
				}
				if err := nc.PublishRequest("$JS.API.CONSUMER."+op+"."+stream+"."+name, nc.NewInbox(), []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := nc.FlushTimeout(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	// What it asks afterwards is answered: the bus has dealt with all of it.
	for _, ask := range map[string][]string{
		"inspector": {"$JS.API.DIRECT.GET.REPORTS.libra.report.p1"}, "recorder": {"$JS.API.CONSUMER.INFO.NOTES.recorder"},
		"web": {"$JS.API.CONSUMER.INFO.NOTES.web-9"}, "watchdog": {"$JS.API.CONSUMER.INFO.ALARMS.watchdog-9"}, "notifier": {"$JS.API.CONSUMER.INFO.NOTES.notifier-9"},
	}[role] {
		if answer, err := nc.Request(ask, nil, 30*time.Second); err != nil || len(answer.Data) == 0 {
			t.Fatalf("%s asks on %s: %v", role, ask, err)
		}
	}
}
