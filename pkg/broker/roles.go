package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nats-io/nkeys"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/statefile"
)

// role is what one component may publish and subscribe to, besides its own
// heartbeat, samples and inbox, and that somebody looks. What it reads of a stream is under publish, too:
// it asks JetStream for that on subjects of its own ($JS.API).
type role struct {
	publish, subscribe []string
	answers            []string // requests that it replies to
}

// mayPublish is what a component with the role may publish.
func (r role) mayPublish(c component.Component) []string {
	return append([]string{"libra.beat." + c.Name + ".*", "libra.sample." + c.Name + ".*"}, r.publish...)
}

// nextMessage is before the stream and the consumer of which a message is asked for.
const nextMessage = "$JS.API.CONSUMER.MSG.NEXT."

// mayNotTake is what a component may not publish although a pattern of its role permits it:
// to take messages from the consumer of another, or from the one for due watches. What it
// may do to consumers otherwise, libra-bus decides: see [event.ConsumerCall].
func mayNotTake(c component.Component) (subjects []string) {
	if c.Role == "bus" {
		return nil
	}
	for _, name := range append(Roles(), event.DueConsumer) {
		if name != c.Role {
			subjects = append(subjects, nextMessage+"*."+name)
		}
	}
	return subjects
}

// maySubscribe is what it may subscribe to.
func (r role) maySubscribe() []string { return slices.Concat(r.subscribes(), r.answers) }

// subscribes is what is published to the component.
func (r role) subscribes() []string { return append([]string{event.LookSubject}, r.subscribe...) }

// roles has the permissions of every component, by its role in pkg/component.
var roles = map[string]role{
	// The bus's own client makes the streams. Root may use its key with NATS's
	// tools.
	"bus": {publish: []string{">"}, subscribe: []string{">"}},
	"web": {
		publish: slices.Concat(
			[]string{event.AllRequests, event.AllWakes, event.AllWorkers, event.AllNotes, event.AllBoard, event.AllWatches, event.AllChannels, event.AllHolds, event.LookSubject, event.JournalSubject, event.AllInspectors},
			streamReads(event.RequestStream), reads(event.ReportStream), reads(event.AlarmStream), reads(event.NoteStream), reads(event.BoardStream), reads(event.WatchStream), reads(event.HostStream)),
		subscribe: []string{event.AllRequests, event.AllSteps, event.AllHeartbeats, event.AllSamples, event.AllRunning},
	},
	"inspector": {
		publish: []string{
			event.AllReports, event.AllSteps, event.AllHosts, event.AllProbes, event.AllRunning,
			"$JS.API.CONSUMER.MSG.NEXT." + event.RequestStream + ".*", "$JS.ACK." + event.RequestStream + ".>",
			newestOf(event.ReportStream, event.ReportSubject("*")), newestOf(event.HostStream, event.AllHosts), newestOf(event.HostStream, event.AllHolds),
		},
		subscribe: []string{event.AllWakes, event.AllReturns, event.AllHosts, event.AllHolds},
		answers:   []string{event.AllWorkers, event.AllInspectors},
	},
	"recorder": {
		publish: slices.Concat([]string{event.AllReports, event.AllNotes, event.AllBoard, event.AllWatches},
			consumes(event.ReportStream, "recorder"), consumes(event.AlarmStream, "recorder"), consumes(event.NoteStream, "recorder"), consumes(event.BoardStream, "recorder"), consumes(event.WatchStream, "recorder")),
	},
	"watchdog": {
		publish: slices.Concat([]string{event.AllAlarms, event.AllNotes, event.AllDue},
			streamReads(event.RequestStream), reads(event.ReportStream), acknowledges(event.ReportStream, "watchdog"), reads(event.AlarmStream), streamReads(event.NoteStream), reads(event.WatchStream), []string{"$JS.API.STREAM.INFO." + event.HostStream, "$JS.API.STREAM.INFO." + event.BoardStream}),
		subscribe: []string{event.AllHeartbeats},
		answers:   []string{event.JournalSubject},
	},
	"notifier": {
		publish: slices.Concat([]string{event.AllNotes}, consumes(event.AlarmStream, "*"), reads(event.NoteStream)),
		answers: []string{event.AllChannels},
	},
	"lab": {}, // it acts through HTTP and systemd
}

// Roles lists the roles of all components by name; each has a key.
func Roles() (names []string) {
	for _, c := range component.All() {
		names = append(names, c.Role)
	}
	slices.Sort(names)
	return names
}

// streamReads permits to get the state of a stream and the newest message of a subject.
func streamReads(stream string) []string {
	return []string{"$JS.API.STREAM.INFO." + stream, "$JS.API.DIRECT.GET." + stream + ".>"}
}

// newestOf permits to get the newest message of subjects of a stream.
func newestOf(stream, subjects string) string { return "$JS.API.DIRECT.GET." + stream + "." + subjects }

// reads adds ordered consumers, which are created and deleted while they are used.
func reads(stream string) []string { return append(streamReads(stream), consumer(stream, "*")...) }

// consumes adds one durable consumer, and its acknowledgements. "*" is any.
func consumes(stream, durable string) []string {
	return slices.Concat(streamReads(stream), consumer(stream, durable), acknowledges(stream, durable))
}

func acknowledges(stream, durable string) []string {
	return []string{"$JS.ACK." + stream + "." + durable + ".>"}
}

// consumer permits to create, look at, read and delete a consumer of that name, where it is
// the component's own: libra-bus looks at that.
func consumer(stream, name string) []string {
	name = "." + stream + "." + name
	return []string{
		"$JS.API.CONSUMER.CREATE" + name, "$JS.API.CONSUMER.CREATE" + name + ".>", "$JS.API.CONSUMER.INFO" + name,
		"$JS.API.CONSUMER.DELETE" + name, "$JS.API.CONSUMER.MSG.NEXT" + name,
	}
}

const publicFile = "public"

// MakeKeys creates the keys that are missing in dir, a file <role>.nk with the
// seed for each role, and the file "public" with the public keys. It keeps
// existing keys, so that it can be interrupted and repeated.
func MakeKeys(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create folder for bus keys: %w", err)
	}
	var public strings.Builder
	for _, role := range Roles() {
		pub, err := makeKey(filepath.Join(dir, role+".nk"))
		if err != nil {
			return err
		}
		fmt.Fprintf(&public, "%s %s\n", role, pub)
	}
	return statefile.File{Path: filepath.Join(dir, publicFile)}.Write([]byte(public.String()))
}

// makeKey returns the public half of the key in file, and creates the file if it
// does not exist. A damaged one is an error and stays: other units may still use
// what it held.
func makeKey(file string) (public string, err error) {
	state := statefile.File{Path: file}
	seed, err := state.Read()
	if errors.Is(err, fs.ErrNotExist) {
		pair, err := nkeys.CreateUser()
		if err != nil {
			return "", fmt.Errorf("create bus key: %w", err)
		}
		if seed, err = pair.Seed(); err != nil {
			return "", fmt.Errorf("create bus key: %w", err)
		}
		if err := state.Write(seed); err != nil {
			return "", err
		}
	} else if err != nil {
		return "", fmt.Errorf("read bus key: %w", err)
	}
	pair, err := nkeys.FromSeed(seed)
	if err != nil {
		return "", fmt.Errorf("read bus key %q: %w: delete the file, then restart libra-keys and all units of Libra", file, err)
	}
	return pair.PublicKey()
}

func readKeys(file string) (map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the bus's public keys (systemctl start libra-keys creates them): %w", err)
	}
	keys := map[string]string{}
	for line := range strings.Lines(string(data)) {
		role, key, _ := strings.Cut(strings.TrimSpace(line), " ")
		if !nkeys.IsValidPublicUserKey(key) {
			return nil, fmt.Errorf("read the bus's public keys: no key in line %q of %q", line, file)
		}
		keys[role] = key
	}
	for _, role := range Roles() {
		if keys[role] == "" {
			return nil, fmt.Errorf("read the bus's public keys: no key for %q in %q: systemctl restart libra-keys adds it", role, file)
		}
	}
	return keys, nil
}
