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

// bot is where the appliance's bot speaks; nil while figures are taken.
var bot *botProxy

// botProxy is slack-go's own stand-in for Slack, behind a door that keeps what
// it has taken.
type botProxy struct {
	*httptest.Server
	behind *slacktest.Server

	mu    sync.Mutex
	taken []message // under mu; posted, or put in the place of another
}

func newBotProxy() *botProxy {
	b := &botProxy{behind: slacktest.NewTestServer(func(c slacktest.Customize) {
		c.Handle("/chat.update", func(w http.ResponseWriter, _ *http.Request) { // it knows none
			io.WriteString(w, `{"ok":true,"channel":"C1","ts":"1"}`)
		})
	})}
	b.behind.Start()
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
	for _, key := range []string{"blocks", "attachments"} { // slacktest undoes an escaping more than there is
		form.Set(key, url.QueryEscape(form.Get(key)))
	}
	answer, err := http.PostForm(b.behind.GetAPIURL()+strings.TrimPrefix(r.URL.Path, "/"), form)
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
		b.keep(r.PostForm)
	}
	w.WriteHeader(answer.StatusCode)
	w.Write(body)
}

func (b *botProxy) keep(form url.Values) {
	var blocks slack.Blocks
	var attachments []slack.Attachment
	if json.Unmarshal([]byte(form.Get("blocks")), &blocks) != nil || json.Unmarshal([]byte(form.Get("attachments")), &attachments) != nil {
		return // Slack would not have taken it
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = append(b.taken, newMessage(form.Get("text"), blocks.BlockSet, attachments))
}

// find is the first message that begins with text.
func (b *botProxy) find(text string) (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.taken {
		if strings.HasPrefix(m.text, text) {
			return m, true
		}
	}
	return message{}, false
}

func (b *botProxy) all() (texts []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range b.taken {
		texts = append(texts, "slacktest: "+m.text)
	}
	return texts
}

func (b *botProxy) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = nil
}

// channels are both of Slack's slackChannels, for alarms.toml.
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

// installBot gives the appliance its token.
func installBot(h *harness.Harness) error {
	bot = newBotProxy()
	return os.WriteFile(filepath.Join(h.Home, "etc", "credentials", "slack-token"), []byte("xoxb-suite\n"), 0o600)
}
