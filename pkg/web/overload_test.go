package web_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/web/admission"
)

// occupy takes every slot of a limiter until release is called.
func occupy(t *testing.T, l *admission.Limiter) (release func()) {
	t.Helper()
	var slots []*admission.Slot
	for f := l.Figures(); f.Used < f.Limit; f = l.Figures() {
		s, err := l.Acquire(t.Context(), "busy")
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, s)
	}
	return func() {
		for _, s := range slots {
			s.End()
		}
	}
}

// crowd has as many wait for a slot as may, for as long as one waits.
func crowd(ctx context.Context, t *testing.T, l *admission.Limiter) {
	t.Helper()
	for n := range admission.MostWaiting {
		go func() {
			if s, err := l.Acquire(ctx, fmt.Sprint("waits", n)); err == nil {
				s.End()
			}
		}()
	}
	bustest.Await(t, "a crowd", func() bool {
		f := l.Figures()
		return f.Waiting == admission.MostWaiting || !f.CrowdedSince.IsZero()
	})
}

// refusedUnread sends the head of a submission, and reports whether it is refused without
// its body. Its connection is good for another request, after the body.
func refusedUnread(t *testing.T, h *rig) (answer, bool) {
	t.Helper()
	c := besiege(t, h, "127.0.0.1", siege["slow body"], 1)[0]
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(admission.MostWait)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	read := func() (answer, bool) {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return answer{}, false
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		return answer{resp.StatusCode, resp.Header, string(data)}, err == nil
	}
	refused, ok := read()
	if !ok {
		return refused, false
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, strings.Repeat(" ", 999)+siege["idle"]); err != nil {
		t.Fatal(err)
	}
	if next, ok := read(); !ok || next.code != http.StatusOK {
		t.Errorf("the next request on the connection: %d %s", next.code, next.body)
	}
	return refused, true
}

// While more is to be stored than can be, one request more is refused before its body is
// read, with the reason and the time to retry, and everything that is in memory is
// answered. Then all is as before.
func TestOverloadRefusesWhatIsToBeStored(t *testing.T) {
	t.Parallel()
	h := started(t)
	page := reported(request(1), noon)
	h.publish(page)
	h.awaitListed(page)
	release := occupy(t, h.web.Stores())
	var refused answer
	bustest.Await(t, "a submission to be refused unread", func() (ok bool) {
		crowd(t.Context(), t, h.web.Stores())
		refused, ok = refusedUnread(t, h)
		return ok
	})
	if refused.code != http.StatusServiceUnavailable || refused.header.Get("Retry-After") == "" || !strings.Contains(refused.body, `"code":"overloaded"`) {
		t.Errorf("refused with %d %v %s", refused.code, refused.header, refused.body)
	}
	for _, path := range []string{"/up", "/api/pages/" + page.Request.Page, "/pages/" + page.Request.Page, "/", "/api/pages", "/api/alarms", "/alarms", "/status", "/static/libra.css", "/metrics", "/api/history"} {
		if got := h.get(path); got.code != http.StatusOK || strings.Contains(got.body, string(libra.CodeOverloaded)) {
			t.Errorf("GET %s = %d %s", path, got.code, got.body)
		}
	}
	bustest.Await(t, "/up to say so", func() bool {
		h.web.Stores().Refuses("busy")
		return strings.Contains(h.get("/up").body, "degraded: libra-web: more is to be stored than can be")
	})
	if got := h.get("/metrics").body; !strings.Contains(got, `libra_web_admission_refused_total{work="store"}`) || strings.Contains(got, `libra_web_admission_refused_total{work="store"} 0`) {
		t.Error("no refusal in /metrics")
	}
	release()
	bustest.Await(t, "requests to be accepted", func() bool { return h.submit("https://example.org/").code == http.StatusAccepted })
	bustest.Await(t, "/up to be OK", func() bool { return h.get("/up").body == "OK\n" })
}

// While more is to be read from the history than can be, lists have what is in memory and
// say what is missing. A page is sought wherever it may be.
func TestOverloadOfTheHistory(t *testing.T) {
	t.Parallel()
	h := started(t)
	page := reported(request(1), noon)
	h.publish(page)
	h.awaitListed(page)
	h.raise(transition(1, "bus", libra.Raised, libra.Critical, 1))
	defer occupy(t, h.web.Reads())()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	overloaded := func(a answer) bool { return strings.Contains(a.body, `"code":"overloaded"`) }
	crowd(ctx, t, h.web.Reads())
	if got := h.get("/api/pages/" + strings.Repeat("a", 20)); got.code != http.StatusNotFound {
		t.Errorf("a page that is nowhere: %d %s", got.code, got.body)
	}
	for path, known := range map[string]string{"/api/pages": page.Request.Page, "/api/history": "bus does not answer", "/api/alarms/bus": "bus does not answer"} {
		bustest.Await(t, path+" without the history", func() bool {
			h.web.Reads().Refuses("busy")
			got := h.get(path)
			return got.code == http.StatusOK && overloaded(got) && strings.Contains(got.body, `"stale":true`) && strings.Contains(got.body, known)
		})
	}
	if got := h.get("/api/pages/" + page.Request.Page); got.code != http.StatusOK || overloaded(got) {
		t.Errorf("a page in memory: %d %s", got.code, got.body)
	}
	if got := h.submit("https://example.org/"); got.code != http.StatusAccepted {
		t.Errorf("a submission: %d %s", got.code, got.body)
	}
}
