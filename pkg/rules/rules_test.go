package rules_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/configs"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

// The shipped file changes nothing as it is; with every key uncommented it is
// good too, and shows the true defaults.
func TestShippedFile(t *testing.T) {
	f, err := rules.Parse("alarms.toml", configs.Alarms)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rules.Defaults(), f); diff != "" {
		t.Errorf("as shipped (-defaults +file):\n%s", diff)
	}
	key := regexp.MustCompile(`(?m)^#(\[|[a-z_]+ = )`)
	f, err = rules.Parse("alarms.toml", key.ReplaceAll(configs.Alarms, []byte("$1")))
	if err != nil {
		t.Fatal(err)
	}
	var types []rules.Type
	for _, c := range f.Channels {
		types = append(types, c.Type)
	}
	if diff := cmp.Diff(rules.Types(), types); diff != "" {
		t.Errorf("examples of channels (-all +file):\n%s", diff)
	}
	if len(f.Routes) != 2 {
		t.Errorf("%d routes", len(f.Routes))
	}
	f.Channels, f.Routes = nil, nil
	if diff := cmp.Diff(rules.Defaults(), f); diff != "" {
		t.Errorf("uncommented (-defaults +file):\n%s", diff)
	}
}

// Every fault is named at once, with its line and what is allowed.
func TestFaults(t *testing.T) {
	const file = `colour = "red"
[[channel]]
name = "Ops"
type = "pigeon"

[[channel]]
name = "mail"
type = "email"
server = "smtp.example.org"
security = "none"
from = "nobody"
to = ["a@example.org", "b"]
user = "libra"
url = "https://example.org/"

[[channel]]
name = "mail"
type = "webhook"
url = "http://example.org/"
credential = "https://hooks.example.org/T0/B0/xyz"

[[channel]]
type = "slack-bot"

[[route]]
scope = "planet"
severity = "awful"
channels = ["mail", "pager"]
[[route]]
severity = 3

[notify]
late = "soon"
digest = 1
group = "-1s"
[remind]
critical = "1s"
[thresholds]
missed = 0
component = 3
[thresholds.disk]
minor = 90
major = 80
[thresholds.queue]
minor = "off"
major = 900
[thresholds.page]
rise = 3
[thresholds.certificate_days]
minor = 2
major = 7
[[channel]]
name = "hook"
typ = "webhook"
`
	want := strings.Split(`alarms.toml:1: unknown key colour in alarms.toml: use channel, route, notify, remind, thresholds
alarms.toml:3: name is "Ops": use small letters, digits and -, at most 32
alarms.toml:4: type is "pigeon": use one of slack, slack-bot, webhook, email, shoutrrr
alarms.toml:9: server is "smtp.example.org": give host and port, such as "smtp.example.org:587"
alarms.toml:10: security is "none", and the server "" is not on this host: use starttls or tls
alarms.toml:11: from is "nobody": give a mail address, such as "libra@example.org"
alarms.toml:12: to has the invalid mail address "b"
alarms.toml:13: user and credential belong together: give both, the credential being the file with the password, or neither
alarms.toml:14: unknown key url in a channel of type email: use name, type, server, security, from, to, user, credential
alarms.toml:17: name "mail" is that of the channel in line 6 already: give another
alarms.toml:19: url is "http://example.org/": it does not start with https://, and a host on the way could read and use it: http:// is for this host and private networks
alarms.toml:20: credential must be the name of a file in /etc/libra/credentials (letters, digits, - _ .): the secret itself goes into that file
alarms.toml:22: this channel has no name: add one, such as name = "ops"
alarms.toml:22: credential is missing: name the file in /etc/libra/credentials that holds the bot's token
alarms.toml:22: to names 0 Slack channels: give one, its id such as "C0123456789" or "#alarms"
alarms.toml:26: scope is "planet": use one of component, host, page
alarms.toml:27: severity is "awful": use one of info, warning, minor, major, critical
alarms.toml:28: channel "pager" is not in this file: use one of Ops, mail, hook
alarms.toml:29: this route has no channels: add channels = ["name"], or [] to notify nobody
alarms.toml:30: severity is 3: use one of info, warning, minor, major, critical
alarms.toml:33: late is "soon": give a time from 1s to 1d, such as "90s", "5m", "4h" or "2d"
alarms.toml:34: digest is 1: give a whole number from 2 to 1000
alarms.toml:35: group is "-1s": give a time from 0s to 1h, such as "90s", "5m", "4h" or "2d", or "off"
alarms.toml:37: critical is "1s": give a time from 1m to 30d, such as "90s", "5m", "4h" or "2d", or "off"
alarms.toml:39: missed is 0: give a whole number from 1 to 1000
alarms.toml:40: component is 3: make it a table: [thresholds.component]
alarms.toml:43: major is reached before minor in [thresholds.disk]: order them, or leave one out with 0
alarms.toml:46: major is 900: give a time from 1s to 30d, such as "90s", "5m", "4h" or "2d", or "off"
alarms.toml:48: unknown key rise in [thresholds.page]: use raise, clear
alarms.toml:51: major is reached before minor in [thresholds.certificate_days]: order them, or leave one out with 0
alarms.toml:52: this channel has no type: add type = one of slack, slack-bot, webhook, email, shoutrrr
alarms.toml:54: unknown key typ in a channel: use name, type, credential, url, url_credential, to, server, security, from, user`, "\n")
	_, err := rules.Parse("/etc/libra/alarms.toml", []byte(file))
	if err == nil {
		t.Fatal("the file was taken")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}

// What is no TOML is named with its line; so is a key given twice.
func TestSyntax(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"[notify]\nlate = 1m\n", "alarms.toml:2: invalid TOML: "},
		{"[notify]\nlate = \"1m\"\nlate = \"2m\"\n", "alarms.toml:3: invalid TOML: "},
		{"\n\n[notify\n", "alarms.toml:3: invalid TOML: "},
		{"remind = { major = \"1h\",\n", "alarms.toml:1: invalid TOML: "},
		{"channel = [{ name = \"a\" }, 3]\n", "alarms.toml:1: channel is a list: begin each channel with a line [[channel]]"},
		{"remind = { major = \"1h\", huge = \"1h\" }\n", "alarms.toml:1: unknown key huge in [remind]"},
		{"[notify]\n\"la\\u0074e\" = 3\n", "alarms.toml:2: late is 3"},
	} {
		_, err := rules.Parse("alarms.toml", []byte(c.file))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.file, err, c.want)
		}
	}
}

// The old name of [notify] is refused with the new one; a copy of a good file
// that an earlier version kept is read with it.
func TestOldNameOfNotify(t *testing.T) {
	dir := t.TempDir()
	file, good := filepath.Join(dir, "alarms.toml"), filepath.Join(dir, "good.toml")
	text := []byte("[telling]\nlate = \"2m\"\n")
	for _, name := range []string{file, good} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, fault := (&rules.Keeper{File: file, LastGood: good}).Load()
	if want := "alarms.toml:1: [telling] is named [notify] now: rename it"; fault == nil || fault.Error() != want {
		t.Errorf("fault %v; want %s", fault, want)
	}
	if f.Notify.Late != 2*time.Minute {
		t.Errorf("late is %s, not that of the copy", f.Notify.Late)
	}
}

// The first route that fits decides; what fits none goes to all.
func TestRoutes(t *testing.T) {
	f, err := rules.Parse("alarms.toml", []byte(`
channel = [ {name = "a", type = "slack", credential = "x"}, {name = "b", type = "shoutrrr", credential = "y"} ]
[[route]]
scope = "page"
target = "https://*.example.org/*"
channels = "a"
[[route]]
alarm = "beat.*"
severity = "major"
channels = ["b"]
[[route]]
severity = "critical"
channels = []
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		alarm libra.Alarm
		want  string
	}{
		{libra.Alarm{ID: "page.1", Scope: libra.ScopePage, Target: "https://www.example.org/x", Severity: libra.Minor}, "a"},
		{libra.Alarm{ID: "page.1", Scope: libra.ScopePage, Target: "https://example.com/", Severity: libra.Minor}, "ab"},
		{libra.Alarm{ID: "beat.web", Scope: libra.ScopeComponent, Severity: libra.Critical}, "b"},
		{libra.Alarm{ID: "beat.web", Scope: libra.ScopeComponent, Severity: libra.Minor}, "ab"},
		{libra.Alarm{ID: "bus", Scope: libra.ScopeComponent, Severity: libra.Critical}, ""},
	} {
		got := ""
		for _, name := range []string{"a", "b"} {
			if f.RoutesTo(name, c.alarm) {
				got += name
			}
		}
		if got != c.want {
			t.Errorf("%v goes to %q, want %q", c.alarm, got, c.want)
		}
	}
}

// A bad edit leaves the last good file in force, also after a restart; the
// defaults, without an earlier one.
func TestLastGood(t *testing.T) {
	dir := t.TempDir()
	file, good := filepath.Join(dir, "alarms.toml"), filepath.Join(dir, "good.toml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	late := func(want time.Duration, wantFault string, defaults bool) {
		t.Helper()
		f, fault := (&rules.Keeper{File: file, LastGood: good}).Load() // of a new process
		if f.Notify.Late != want || !says(fault, wantFault) || errors.Is(fault, rules.ErrDefaults) != defaults {
			t.Errorf("late %s, fault %v; want %s, %q, by default: %v", f.Notify.Late, fault, want, wantFault, defaults)
		}
	}
	late(time.Minute, "", false)
	write("[notify]\nlate = \"soon\"\n")
	late(time.Minute, "alarms.toml:2: late is \"soon\"", true)
	write("[notify]\nlate = \"2m\"\n")
	late(2*time.Minute, "", false)
	write("[notify]\nlate = \"soon\"\n")
	late(2*time.Minute, "alarms.toml:2: late is \"soon\"", false)
	write("[notify]\nlate = \"3m\"\n")
	late(3*time.Minute, "", false)
}

func says(err error, want string) bool {
	if want == "" {
		return err == nil
	}
	return err != nil && strings.Contains(err.Error(), want)
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(configs.Alarms))
	f.Add([]byte("channel = [{name = 1}]\nroute.x = [[]]\n[a.b]\n[[a.b.c]]\n[a.b.c.d]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_, err := rules.Parse("alarms.toml", data)
		if err == nil {
			return
		}
		for _, line := range strings.Split(err.Error(), "\n") {
			if !regexp.MustCompile(`^alarms\.toml:[1-9]\d*: `).MatchString(line) && !strings.Contains(string(data), "\n") {
				t.Errorf("%q: fault without a line: %q", data, line)
			}
		}
	})
}

// Where there is no channel, the log is one, and has this name.
func TestReservedName(t *testing.T) {
	_, err := rules.Parse("alarms.toml", []byte("[[channel]]\nname = \"journal\"\ntype = \"slack\"\ncredential = \"x\"\n"))
	if err == nil || !strings.Contains(err.Error(), `alarms.toml:2: name is "journal"`) {
		t.Errorf("%v", err)
	}
}
