package harness

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"libra/pkg/libra"
	"libra/systemd/load"
)

// Await waits for a condition and returns how long that took. It ends the test
// after the time most.
func Await(t testing.TB, what string, most time.Duration, cond func() bool) time.Duration {
	t.Helper()
	took, ok := Within(most, cond)
	if !ok {
		t.Fatalf("waited %s for %s", most, what)
	}
	return took
}

// Within waits for a condition for at most the time most. It returns how long that
// took and whether the condition became true.
func Within(most time.Duration, cond func() bool) (time.Duration, bool) {
	start := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Since(start) > most {
			return time.Since(start), false
		}
		<-tick.C
	}
	return time.Since(start), true
}

// Monotonic returns the time of the clock of systemd's ...TimestampMonotonic.
func Monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic(err) // the clock always exists
	}
	return time.Duration(ts.Nano())
}

// EnsureHealthy starts what an earlier test has stopped, and waits until every
// service is active and libra-web is healthy.
func (h *Harness) EnsureHealthy(t testing.TB) {
	t.Helper()
	h.Systemctl(t, append([]string{"reset-failed"}, Services...)...)
	h.Systemctl(t, "start", "libra.target")
	Await(t, "all services and /up", 20*time.Second, func() bool { return h.Healthy(t) })
}

// Healthy says whether every service is active and nothing is degraded.
func (h *Harness) Healthy(t testing.TB) bool {
	t.Helper()
	states := h.Systemctl(t, append([]string{"show", "--property=ActiveState", "--value"}, Services...)...)
	for _, state := range strings.Fields(states) {
		if state != "active" {
			return false
		}
	}
	code, body := h.Get(t, "/up")
	return code == http.StatusOK && strings.TrimSpace(body) == "OK"
}

// Get sends a GET request to libra-web. Without a response the code is 0 and the
// body is the error.
func (h *Harness) Get(t testing.TB, path string) (int, string) {
	t.Helper()
	res, err := http.Get(h.URL + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// Submit submits a page and returns its id.
func (h *Harness) Submit(t testing.TB, url string) string {
	t.Helper()
	return h.SubmitAs(t, "", url)
}

// SubmitAs is Submit as another client: from an address of its own on the loopback.
func (h *Harness) SubmitAs(t testing.TB, client, url string) string {
	t.Helper()
	id, status := h.TrySubmitAs(t, client, url)
	if status != http.StatusAccepted {
		t.Fatalf("submit %s: %d", url, status)
	}
	return id
}

// TrySubmitAs is SubmitAs, where Libra may refuse; it returns the status.
func (h *Harness) TrySubmitAs(t testing.TB, client, url string) (id string, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/api/pages", strings.NewReader(fmt.Sprintf(`{"url":%q}`, url)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Libra-Client", client)
	res, err := h.clientOf(client).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page struct{ ID, URL, State string }
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil || res.StatusCode == http.StatusAccepted && page.ID == "" {
		t.Fatalf("submit %s: %s, %+v, %v", url, res.Status, page, err)
	}
	if want := "/api/pages/" + page.ID; page.ID != "" && res.Header.Get("Location") != want {
		t.Errorf("Location is %q, want %q", res.Header.Get("Location"), want)
	}
	return page.ID, res.StatusCode
}

// clientOf is an HTTP client whose connections come from an address of its own on the
// loopback; "" is the usual one.
func (h *Harness) clientOf(name string) *http.Client {
	if name == "" {
		return http.DefaultClient
	}
	if c, ok := h.clients.Load(name); ok {
		return c.(*http.Client)
	}
	c, _ := h.clients.LoadOrStore(name, &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{LocalAddr: load.Address(name)}).DialContext, MaxIdleConnsPerHost: 32}})
	return c.(*http.Client)
}

// Page gets a page from the API.
func (h *Harness) Page(t testing.TB, id string) (p libra.Page) {
	t.Helper()
	code, body := h.Get(t, "/api/pages/"+id)
	if code != http.StatusOK {
		t.Fatalf("GET page %s: %d %s", id, code, body)
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatal(err)
	}
	return p
}
