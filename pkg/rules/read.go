package rules

import (
	"bytes"
	"errors"
	"net"
	"net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/pkg/libra"
	"libra/pkg/statefile"
)

// Parse reads a file of that name. The error names every fault, a line each:
// "alarms.toml:12: what is wrong: what is allowed there".
func Parse(name string, data []byte) (File, error) { return parseRules(name, data, false) }

// parseRules is Parse. A copy of a good file may be one that an earlier version
// kept: it may have the old name of [notify].
func parseRules(name string, data []byte, kept bool) (File, error) {
	f := Defaults()
	doc, err := parse(filepath.Base(name), data)
	if err != nil {
		return f, err
	}
	root := doc.section("", "alarms.toml", doc.root)
	for _, s := range root.tables("channel", "a channel") {
		f.Channels = append(f.Channels, readChannel(s))
	}
	checkNames(root, f.Channels)
	for _, s := range root.tables("route", "a route") {
		f.Routes = append(f.Routes, readRoute(s, f.Channels))
	}
	if old, ok := root.keys["telling"]; ok {
		delete(root.keys, "telling")
		if kept {
			root.keys["notify"] = old
		} else {
			root.blame("telling", "[telling] is named [notify] now: rename it")
		}
	}
	readNotify(root, &f.Notify)
	if s := root.table("thresholds", "[thresholds]"); s != nil {
		readThresholds(s, &f.Thresholds)
		s.finish()
	}
	root.finish()
	return f, doc.err()
}

// Check reads file and returns its faults, whatever is in force meanwhile.
func Check(file string) (File, []error) {
	k := Keeper{File: file}
	f, _, fault := k.read()
	return f, Faults(fault)
}

// Faults are the faults that an error of Parse or Keeper names, one by one.
func Faults(err error) []error {
	if err == nil {
		return nil
	}
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		return all.Unwrap()
	}
	return []error{err}
}

// keep copies a valid file. A failure is ignored: the next valid one is kept.
func keep(lastGood string, data []byte) {
	if lastGood == "" {
		return
	}
	f := statefile.File{Path: lastGood}
	if old, err := f.Read(); err == nil && bytes.Equal(old, data) {
		return
	}
	_ = f.Write(data)
}

var (
	channelName    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	credentialName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
)

func readChannel(s *section) (c Channel) {
	c.Line = s.doc.line(s.path)
	c.Name = s.text("name")
	switch {
	case !s.has("name"):
		s.blame("name", "this channel has no name: add one, such as name = \"ops\"")
	case c.Name != "" && !channelName.MatchString(c.Name):
		s.blame("name", "name is %q: use small letters, digits and -, at most 32", c.Name)
	case c.Name == Journal:
		s.blame("name", "name is %q, which is reserved for the journal: give another", c.Name)
	}
	if c.Type = choice(s, "type", Types()); c.Type == "" {
		if !s.has("type") {
			s.blame("type", "this channel has no type: add type = one of slack, slack-bot, webhook, email, shoutrrr")
			s.asked = append(s.asked, "credential", "url", "url_credential", "to", "server", "security", "from", "user")
			s.finish() // the type may be there, misspelt
		}
		return c // which keys belong here is not known
	}
	s.what = "a channel of type " + string(c.Type)
	switch c.Type {
	case Slack:
		c.Credential = s.credential("credential", "the incoming webhook's URL")
	case SlackBot:
		c.Credential = s.credential("credential", "the bot's token")
		if c.To = s.texts("to"); len(c.To) != 1 {
			s.blame("to", "to names %d Slack channels: give one, its id such as \"C0123456789\" or \"#alarms\"", len(c.To))
		}
		if c.URL = s.text("url"); c.URL != "" {
			if err := CheckURL(c.URL); err != nil {
				s.blame("url", "url is %q: %v", c.URL, err)
			}
		}
	case Webhook:
		c.readWebhook(s)
	case Email:
		c.readEmail(s)
	case Shoutrrr:
		c.Credential = s.credential("credential", "shoutrrr's URL")
	}
	s.finish()
	return c
}

// credential takes the name of a file that must be given.
func (s *section) credential(key, holds string) string {
	name := s.optionalCredential(key)
	if !s.has(key) {
		s.blame(key, "%s is missing: name the file in /etc/libra/credentials that holds %s", key, holds)
	}
	return name
}

func (s *section) optionalCredential(key string) string {
	name := s.text(key)
	if name != "" && !credentialName.MatchString(name) {
		s.blame(key, "%s must be the name of a file in /etc/libra/credentials (letters, digits, - _ .): the secret itself goes into that file", key)
		return ""
	}
	return name
}

func (c *Channel) readWebhook(s *section) {
	c.URL = s.text("url")
	c.URLCredential = s.optionalCredential("url_credential")
	c.Credential = s.optionalCredential("credential")
	switch {
	case s.has("url") == s.has("url_credential"):
		s.blame("url", "give either url, or url_credential with the name of the file that holds it")
	case c.URL != "":
		if err := CheckURL(c.URL); err != nil {
			s.blame("url", "url is %q: %v", c.URL, err)
		}
	}
}

// CheckURL returns the fault of a webhook's URL, without the URL.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || strings.ContainsAny(text, " \n\t"):
		return errors.New("invalid URL: give one such as https://example.org/hook")
	case u.Scheme == "https", u.Scheme == "http" && Near(u.Hostname()):
		return nil
	}
	return errors.New("it does not start with https://, and a host on the way could read and use it: http:// is for this host and private networks")
}

// Near reports whether host is this one, or on its own network: a relay or a test
// may do without TLS there.
func Near(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate())
}

func (c *Channel) readEmail(s *section) {
	c.Server = s.text("server")
	host, port, err := net.SplitHostPort(c.Server)
	n, perr := strconv.Atoi(port)
	if err != nil || perr != nil || host == "" || n < 1 || n > 65535 {
		s.blame("server", "server is %q: give host and port, such as \"smtp.example.org:587\"", c.Server)
	}
	c.Security = choice(s, "security", []Security{StartTLS, TLS, None})
	if !s.has("security") {
		c.Security = StartTLS
	}
	c.From = s.text("from")
	if _, err := mail.ParseAddress(c.From); err != nil {
		s.blame("from", "from is %q: give a mail address, such as \"libra@example.org\"", c.From)
	}
	if c.To = s.texts("to"); len(c.To) == 0 {
		s.blame("to", "to is empty: give mail addresses, such as [\"ops@example.org\"]")
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			s.blame("to", "to has the invalid mail address %q", to)
		}
	}
	c.User = s.text("user")
	c.Credential = s.optionalCredential("credential")
	if (c.User == "") != (c.Credential == "") {
		s.blame("user", "user and credential belong together: give both, the credential being the file with the password, or neither")
	}
	if ip := net.ParseIP(host); c.Security == None && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		s.blame("security", "security is \"none\", and the server %q is not on this host: use starttls or tls", host)
	}
}

func checkNames(root *section, channels []Channel) {
	seen := map[string]int{}
	for i, c := range channels {
		if first, twice := seen[c.Name]; twice && c.Name != "" {
			s := root.doc.section("channel."+strconv.Itoa(i), "", nil)
			s.blame("name", "name %q is that of the channel in line %d already: give another", c.Name, first)
			continue
		}
		seen[c.Name] = c.Line
	}
}

func readRoute(s *section, channels []Channel) (r Route) {
	r.Line = s.doc.line(s.path)
	r.Scope = choice(s, "scope", libra.Scopes())
	r.Severity = choice(s, "severity", libra.Severities())
	r.Alarm = s.text("alarm")
	r.Target = s.text("target")
	r.Channels = s.texts("channels")
	if !s.has("channels") {
		s.blame("channels", "this route has no channels: add channels = [\"name\"], or [] to notify nobody")
	}
	var names []string
	for _, c := range channels {
		if c.Name != "" && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	for _, name := range r.Channels {
		if !slices.Contains(names, name) {
			s.blame("channels", "channel %q is not in this file: %s", name, oneOf(names))
		}
	}
	s.finish()
	return r
}

func oneOf(names []string) string {
	if len(names) == 0 {
		return "it has none; add one with [[channel]]"
	}
	return "use one of " + strings.Join(names, ", ")
}

const (
	day   = 24 * time.Hour
	month = 30 * day
)

func readNotify(root *section, n *Notify) {
	if s := root.table("notify", "[notify]"); s != nil {
		s.duration("late", &n.Late, time.Second, day, false)
		s.count("digest", &n.Digest, 2, 1000)
		s.duration("group", &n.Group, 0, time.Hour, true)
		s.duration("settle", &n.Settle, 0, time.Hour, true)
		s.duration("undelivered", &n.Undelivered, time.Second, day, false)
		s.finish()
	}
	if s := root.table("remind", "[remind]"); s != nil {
		for _, severity := range slices.Backward(libra.Severities()) {
			d := n.Remind[severity]
			s.duration(string(severity), &d, time.Minute, month, true)
			n.Remind[severity] = d
		}
		s.finish()
	}
}
