package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

// defaultServer is where an appliance listens by default.
const defaultServer = "http://127.0.0.1:8080"

// Bounds on one exchange with the appliance.
const (
	answerTimeout  = 30 * time.Second
	maxAnswerBytes = 256 << 20
)

// howToStart is the remedy where no appliance answers.
const howToStart = "start it with scripts/appliance up, or with systemctl start libra.target where it is installed; " +
	"if it runs elsewhere, name it with --server or LIBRA_SERVER"

// client talks to an appliance.
type client struct {
	server string // URL without a slash at its end
	name   string // for X-Libra-Client
	http   *http.Client
}

// applianceFlags are the flags of every command that talks to an appliance.
func applianceFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{jsonFlag()}, append(more,
		&cli.StringFlag{Name: "server", Usage: "use the appliance at `URL` (default: LIBRA_SERVER, else " + defaultServer + ")"},
		&cli.StringFlag{Name: "client", Usage: "send requests as client `NAME`: each client gets a fair share (default: LIBRA_CLIENT, else user@host)"},
	)...)
}

func (r *runner) client(c *cli.Context) (*client, error) {
	server, source := defaultServer, ""
	if s := r.getenv("LIBRA_SERVER"); s != "" {
		server, source = s, "LIBRA_SERVER"
	}
	if s := c.String("server"); s != "" {
		server, source = s, "--server"
	}
	u, err := url.Parse(server)
	var prefix string // of a reverse proxy
	plain := err == nil
	if plain {
		prefix, plain = libra.ParsePathPrefix(u.EscapedPath())
	}
	if !plain || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fail("cannot use %s %q: it is not the URL of a server", source, server).with("give one such as %s", defaultServer)
	}
	name, source := c.String("client"), "--client"
	if name == "" {
		name, source = cmp.Or(r.getenv("LIBRA_CLIENT"), userAtHost()), "LIBRA_CLIENT"
	}
	if strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r > '~' }) >= 0 {
		return nil, fail("cannot use %s %q: only printable ASCII fits in a header", source, name).with("give a name such as team-a")
	}
	return &client{server: u.Scheme + "://" + u.Host + prefix, name: name, http: &http.Client{Timeout: answerTimeout}}, nil
}

func userAtHost() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
}

// call asks the appliance for one thing, and reads its answer into one. With
// --json the answer is printed as it came, and printed is true.
func (r *runner) call(c *cli.Context, what, method, path string, send, into any) (printed bool, err error) {
	k, err := r.client(c)
	if err != nil {
		return false, err
	}
	data, err := k.do(c.Context, what, method, path, send, into)
	if err != nil || !c.Bool("json") {
		return false, err
	}
	return true, r.copyJSON(data)
}

// get asks for path. into is filled from the answer's JSON, which is returned
// as it came.
func (k *client) get(ctx context.Context, what, path string, into any) ([]byte, error) {
	return k.do(ctx, what, http.MethodGet, path, nil, into)
}

// do makes one exchange. what is the command's task, for errors: "list pages".
func (k *client) do(ctx context.Context, what, method, path string, send, into any) ([]byte, error) {
	var body io.Reader
	if send != nil {
		data, err := json.Marshal(send)
		if err != nil {
			return nil, fail("cannot %s: %w", what, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, k.server+path, body)
	if err != nil {
		return nil, fail("cannot %s: %w", what, err)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "libra/"+Version)
	req.Header.Set("X-Libra-Client", k.name)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := k.http.Do(req)
	if err != nil {
		return nil, k.unreachable(what, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, k.unreachable(what, err)
	}
	if resp.StatusCode >= 300 {
		return nil, k.problem(what, resp, data)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return nil, k.stranger(what, resp)
	}
	return data, nil
}

func (k *client) unreachable(what string, err error) error {
	var dns *net.DNSError
	var timeout net.Error
	reason := err.Error()
	if u := (*url.Error)(nil); errors.As(err, &u) {
		reason = u.Err.Error()
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = "nothing listens there"
	case errors.As(err, &dns):
		reason = "no such host"
	case errors.As(err, &timeout) && timeout.Timeout():
		reason = "no answer within " + libra.FormatDuration(k.http.Timeout)
	}
	f := fail("cannot %s: no appliance at %s: %s", what, k.server, reason).with(howToStart)
	f.passing = true
	return f
}

// stranger is for answers that are not Libra's.
func (k *client) stranger(what string, resp *http.Response) error {
	return fail("cannot %s: %s answered %s with %q, which is not Libra's", what, k.server, resp.Status, resp.Header.Get("Content-Type")).
		with("another program may use the port: name the appliance with --server or LIBRA_SERVER")
}

// problem reads RFC 9457 problem details.
func (k *client) problem(what string, resp *http.Response, data []byte) error {
	var p struct {
		Title   string         `json:"title"`
		Detail  string         `json:"detail"`
		Details []libra.Reason `json:"reason_details"`
	}
	if json.Unmarshal(data, &p) != nil || p.Title == "" && p.Detail == "" {
		return k.stranger(what, resp)
	}
	reason, hint := split(p.Details)
	reason = cmp.Or(reason, p.Detail, p.Title)
	if hint == "" && resp.StatusCode == http.StatusServiceUnavailable {
		hint = "try again in a few seconds; libra status shows what is degraded"
	}
	f := fail("cannot %s: %s", what, reason).with("%s", hint)
	f.status, f.passing = resp.StatusCode, resp.StatusCode >= 500
	return f
}
