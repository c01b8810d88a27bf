package notifier

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
)

// secret lets everyone who knows it send: it is never printed.
type secret struct{ text string }

// String keeps it out of logs and errors.
func (secret) String() string { return "[secret]" }

// GoString does so for %#v.
func (secret) GoString() string { return "[secret]" }

// credential reads the file of that name. Errors name the file, never what is
// in it.
func (c Config) credential(name string) (secret, error) {
	file := c.Credentials + name
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return secret{}, fmt.Errorf("credential %q is missing: put it into /etc/libra/credentials/%s (mode 600), then systemctl restart libra-notifier", name, name)
	case err != nil:
		return secret{}, fmt.Errorf("read credential %q: %w", name, err)
	}
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		return secret{}, fmt.Errorf("credential %q is empty: put the secret into /etc/libra/credentials/%s, alone on a line, then systemctl restart libra-notifier", name, name)
	case strings.ContainsAny(text, "\n\r"):
		return secret{}, fmt.Errorf("credential %q has several lines: put the secret into /etc/libra/credentials/%s alone on a line, then systemctl restart libra-notifier", name, name)
	}
	return secret{text}, nil
}

func (c Config) hasCredential(name string) bool {
	_, err := os.Stat(c.Credentials + name)
	return err == nil
}

// scrub takes everything out of text that could be a part of a secret URL, for
// errors of libraries that print what they were given.
func scrub(text, raw string) string {
	for _, part := range parts(raw) {
		text = strings.ReplaceAll(text, part, "[secret]")
	}
	return text
}

// parts of a URL that may be secret, the longest first.
func parts(raw string) []string {
	list := []string{raw}
	u, err := url.Parse(raw)
	if err != nil {
		return list
	}
	add := func(s string) {
		if len(s) >= 4 {
			list = append(list, s, url.QueryEscape(s), url.PathEscape(s))
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(u.User.String())
		add(password)
		add(u.User.Username())
	}
	add(u.RequestURI())
	add(u.Path)
	for _, segment := range strings.Split(u.Path, "/") {
		add(segment)
	}
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	if !strings.Contains(u.Host, ".") { // a token in its place, as in telegram://token@telegram
		add(u.Host)
	}
	add(u.Fragment)
	return list
}
