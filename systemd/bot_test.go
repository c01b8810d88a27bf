//go:build appliance

package systemd_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slacktest"

	"libra/systemd/harness"
)

// bot is the stand-in for Slack's Web API; nil in benchmarks.
var bot *botProxy

// botProxy forwards to slacktest, slack-go's stand-in for Slack, and records the
// accepted messages.
type botProxy struct {
	*httptest.Server
	slack *slacktest.Server

	mu       sync.Mutex
	accepted []message // under mu; posted, or updated
}

func newBotProxy() *botProxy {
	b := &botProxy{slack: slacktest.NewTestServer(func(c slacktest.Customize) {
		c.Handle("/chat.update", func(w http.ResponseWriter, _ *http.Request) { // slacktest has no such method
			io.WriteString(w, `{"ok":true,"channel":"C1","ts":"1"}`)
		})
	})}
	b.slack.Start()
	b.Server = httptest.NewServer(http.HandlerFunc(b.serve))
	return b
}

func (b *botProxy) serve(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	form := url.Values{}
	for key, values := range r.PostForm {
		form[key] = values
	}
	for _, key := range []string{"blocks", "attachments"} { // slacktest unescapes once too often
		form.Set(key, url.QueryEscape(form.Get(key)))
	}
	answer, err := http.PostForm(b.slack.GetAPIURL()+strings.TrimPrefix(r.URL.Path, "/"), form)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if answer.StatusCode == http.StatusOK {
		b.record(r.PostForm)
	}
	w.WriteHeader(answer.StatusCode)
	w.Write(body)
}

func (b *botProxy) record(form url.Values) {
	var blocks slack.Blocks
	var attachments []slack.Attachment
	if json.Unmarshal([]byte(form.Get("blocks")), &blocks) != nil || json.Unmarshal([]byte(form.Get("attachments")), &attachments) != nil {
		return // Slack would not accept it
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted = append(b.accepted, newMessage(form.Get("text"), blocks.BlockSet, attachments))
}

// find returns the first message that begins with text.
func (b *botProxy) find(text string) (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.accepted {
		if strings.HasPrefix(m.text, text) {
			return m, true
		}
	}
	return message{}, false
}

func (b *botProxy) all() (texts []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.accepted {
		texts = append(texts, "slacktest: "+m.text)
	}
	return texts
}

func (b *botProxy) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.accepted = nil
}

// channelRules defines both Slack channels for alarms.toml.
func channelRules() string {
	return fmt.Sprintf(`
[[channel]]
name = "slack"
type = "slack"
credential = "slack-webhook"
[[channel]]
name = "bot"
type = "slack-bot"
credential = "slack-token"
to = "C1"
url = %q
`, bot.URL+"/")
}

// installBot starts the stand-in and gives the appliance a token.
func installBot(h *harness.Harness) error {
	bot = newBotProxy()
	return os.WriteFile(filepath.Join(h.Home, "etc", "credentials", "slack-token"), []byte("xoxb-suite\n"), 0o600)
}
