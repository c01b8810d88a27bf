package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"libra/pkg/bus/bustest"
	"libra/pkg/lab"
	"libra/pkg/labapi"
	"libra/pkg/web"
)

// startLab runs a lab for the pages of a libra-web, with a program in place of systemctl that
// finds a process of every unit; web is its control socket for web.Config.
func startLab(t *testing.T, target string) (socket string) {
	t.Helper()
	dir := t.TempDir()
	script := filepath.Join(dir, "systemctl")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho 7\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	site := l.Addr().String()
	l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		cfg := lab.Config{Web: target, Site: site, Runtime: dir, Systemctl: script, Lock: []string{"false"}}
		if err := lab.New(cfg, slog.New(slog.DiscardHandler)).Run(ctx, nil); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	socket = filepath.Join(dir, "lab.sock")
	bustest.Await(t, "the lab to listen", func() bool { _, err := os.Stat(socket); return err == nil })
	return socket
}

func (h *rig) lab() (s labapi.State) {
	h.t.Helper()
	got := h.get("/api/lab")
	if got.code != http.StatusOK || json.Unmarshal([]byte(got.body), &s) != nil {
		h.t.Fatalf("/api/lab = %d %s", got.code, got.body)
	}
	return s
}

// The API and the forms of the page operate the lab, also while the bus is away; what the lab
// refuses is a problem with its words; a page of another site operates nothing.
func TestLab(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Lab: startLab(t, "http://127.0.0.1:1")}).ready()
	for path, body := range map[string]string{"/api/lab/dial": `{"value": 40}`, "/api/lab/inspectors": `{"value": 4}`} {
		if got := h.post(path, body); got.code != http.StatusOK {
			t.Errorf("%s = %d %s", path, got.code, got.body)
		}
	}
	if s := h.lab(); s.Rate != 40 || s.Inspectors != 4 {
		t.Errorf("state: %+v", s)
	}
	for body, want := range map[string]string{
		`{"action": "kill", "unit": "sshd"}`: `invalid unit \"sshd\": must be one of libra-bus`,
		`{"action": "crash"}`:                `invalid action \"crash\": must be one of error`,
		`{`:                                  `the body is not JSON`,
		`{"act": 1}`:                         `invalid request: json: unknown field \"act\"`,
	} {
		if got := h.post("/api/lab/do", body); got.code != http.StatusBadRequest || !strings.Contains(got.body, want) {
			t.Errorf("do %s = %d %s, want %s", body, got.code, got.body, want)
		}
	}
	if got := h.do("POST", "/lab", "set=dial&value=200", "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site"); got.code != http.StatusForbidden || h.lab().Rate != 40 {
		t.Errorf("from another site: %d", got.code)
	}
	h.bus.Down()
	for _, form := range []url.Values{{"set": {"dial"}, "value": {"3"}}, {"set": {"inspectors"}, "value": {"2"}}, {"action": {"kill"}, "unit": {"libra-web"}}} {
		if got := h.form("/lab", form); got.code != http.StatusSeeOther || got.header.Get("Location") != "/lab" {
			t.Errorf("form %v = %d, to %q: %s", form, got.code, got.header.Get("Location"), got.body)
		}
	}
	for _, form := range []url.Values{{"set": {"dial"}, "value": {"much"}}, {"set": {"all"}}, {"action": {"kill"}}} {
		if got := h.form("/lab", form); got.code != http.StatusBadRequest {
			t.Errorf("form %v = %d", form, got.code)
		}
	}
	s := h.lab()
	if s.Rate != 3 || s.Inspectors != 2 || len(s.Actions) != 1 || s.Actions[0].Unit != "libra-web" {
		t.Errorf("state after the forms: %+v", s)
	}
	html := h.get("/lab", "Accept", "text/html").body
	for _, want := range []string{`value="3"`, "kill -9 libra-web", "Endless loop", "<option>libra-inspector@8</option>", "Reads failed", `data-chart="cpu"`, `href="/lab" aria-current="page"`} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if got := h.form("/lab", url.Values{"set": {"reset"}}); got.code != http.StatusSeeOther || h.lab().Rate != 0 {
		t.Errorf("reset = %d", got.code)
	}
}

// Without LIBRA_LAB nothing can be done, and the page says how to turn it on; where libra-lab
// does not run it says so.
func TestLabOff(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{}).ready()
	for _, got := range []answer{h.get("/api/lab"), h.post("/api/lab/dial", `{"value": 1}`), h.post("/api/lab/reset", "")} {
		if got.code != http.StatusNotFound || !strings.Contains(got.body, "LIBRA_LAB=on") {
			t.Errorf("%d %s", got.code, got.body)
		}
	}
	if got := h.form("/lab", url.Values{"set": {"dial"}, "value": {"1"}}); got.code != http.StatusSeeOther || got.header.Get("Location") != "/lab" {
		t.Errorf("form = %d %s", got.code, got.body)
	}
	if got := h.get("/lab", "Accept", "text/html"); got.code != http.StatusOK || !strings.Contains(got.body, "LIBRA_LAB=on") || strings.Contains(got.body, "<form") || strings.Contains(got.body, `href="/lab"`) {
		t.Errorf("/lab = %d %s", got.code, got.body)
	}
	away := newRig(t).start(web.Config{Lab: filepath.Join(t.TempDir(), "lab.sock")}).ready()
	if got := away.get("/api/lab"); got.code != http.StatusServiceUnavailable || !strings.Contains(got.body, "systemctl start libra-lab") {
		t.Errorf("/api/lab = %d %s", got.code, got.body)
	}
	if got := away.get("/lab", "Accept", "text/html"); got.code != http.StatusOK || !strings.Contains(got.body, "libra-lab does not answer") || !strings.Contains(got.body, `data-chart="cpu"`) {
		t.Errorf("/lab = %d %s", got.code, got.body)
	}
}

// The lab is operated with the keyboard, shows what came of it without being loaded again, and
// is accessible, on and off.
func TestBrowserLab(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Lab: startLab(t, "http://127.0.0.1:1")}).ready()
	ctx := browser(t, "/api/lab/dial")
	err := chromedp.Do(ctx, chromedp.EmulateViewport(390, 844), chromedp.Navigate(h.base+"/lab"),
		chromedp.Poll[chromedp.Void](`!document.getElementById("rate").hidden && !document.getElementById("live").hidden`),
		chromedp.Focus("#rate"), chromedp.KeyEvent(kb.ArrowRight+kb.ArrowRight+kb.ArrowRight))
	if err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the dial to be set", func() bool { return h.lab().Rate == 3 })
	err = chromedp.Do(ctx, chromedp.Click(`button[value="kill"]`),
		chromedp.Poll[chromedp.Void](`document.getElementById("lab-actions").textContent.includes("kill -9 libra-bus")`),
		chromedp.Poll[chromedp.Void](`document.querySelector('[data-lab="total.failed"]').textContent !== "0" && !document.getElementById("lab-fault").hidden`))
	number, numberErr := chromedp.Run(ctx, chromedp.Value("#rate-number"))
	if err := errors.Join(err, numberErr); err != nil || number != "3" {
		t.Fatalf("number %q, %v", number, err)
	}
	err = chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](`(() => { const n = document.getElementById("rate-number"); n.removeAttribute("max"); n.value = "999"; n.dispatchEvent(new Event("input")); })()`), chromedp.Click(`[data-set=dial] button`),
		chromedp.Poll[chromedp.Void](`document.getElementById("lab-said").textContent.includes("invalid rate 999")`))
	if err != nil {
		t.Fatal(err)
	}
	script := axe(t)
	look(browser(t), t, script, h.base+"/lab")
	off := newRig(t).start(web.Config{}).ready()
	look(browser(t), t, script, off.base+"/lab")
	away := newRig(t).start(web.Config{Lab: filepath.Join(t.TempDir(), "lab.sock")}).ready()
	look(browser(t, "/api/lab"), t, script, away.base+"/lab")
}
