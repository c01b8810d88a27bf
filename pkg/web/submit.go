package web

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

const (
	// maxBody bounds what is read of a submission: the longest URL, with every
	// byte of it escaped.
	maxBody = 64 << 10
	// maxClient bounds the name a client gives itself.
	maxClient = 200
	// submitBound is how long a submission may wait for the bus.
	submitBound = 2500 * time.Millisecond
)

// accepted is what POST /api/pages answers.
type accepted struct {
	ID    string          `json:"id"`
	URL   string          `json:"url"` // in normal form
	State libra.PageState `json:"state"`
	Note  string          `json:"note,omitempty"`
}

func (s *Server) postPage(w http.ResponseWriter, r *http.Request) {
	raw, p := readSubmission(w, r)
	if p == nil {
		var doc accepted
		if doc, p = s.submit(r, raw); p == nil {
			w.Header().Set("Location", "/api/pages/"+doc.ID)
			w.Header().Set("Cache-Control", "no-store")
			writeJSON(w, http.StatusAccepted, doc)
			return
		}
	}
	s.fail(w, r, p)
}

func (s *Server) postForm(w http.ResponseWriter, r *http.Request) {
	if p := mediaType(r, "application/x-www-form-urlencoded"); p != nil {
		s.fail(w, r, p)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, bodyProblem(err, "the form"))
		return
	}
	doc, p := s.submit(r, r.PostForm.Get("url"))
	switch {
	case p == nil:
		http.Redirect(w, r, "/pages/"+doc.ID, http.StatusSeeOther)
	case p.Status == http.StatusBadRequest && accepts(r, "text/html"):
		s.renderHome(w, r, p.Status, r.PostForm.Get("url"), p.Detail) // the form again, with what was typed
	default:
		s.fail(w, r, p)
	}
}

// submit stores a request for a page. Without a problem it is durable.
func (s *Server) submit(r *http.Request, raw string) (accepted, *problem) {
	url, err := libra.ParseURL(raw)
	if err != nil {
		return accepted{}, badRequest("url", err.Error())
	}
	ctx, cancel := context.WithTimeout(r.Context(), submitBound)
	defer cancel()
	if p := s.quarantine(ctx, libra.PageID(url), url); p != nil {
		return accepted{}, p
	}
	return s.ask(ctx, r, url, false)
}

// ask stores the request of whoever sent r. It says in its note when there is
// one of theirs already.
func (s *Server) ask(ctx context.Context, r *http.Request, url string, release bool) (accepted, *problem) {
	client, p := clientOf(r)
	if p != nil {
		return accepted{}, p
	}
	now := time.Now().UTC()
	req := event.Request{ID: requestID(now), Page: libra.PageID(url), URL: url, Site: s.cfg.Site, Client: client, Asked: now, Release: release}
	doc := accepted{ID: req.Page, URL: url, State: libra.Queued}
	switch err := s.conn.Submit(ctx, req); {
	case err == nil:
		s.submitted.Add(1)
		s.onRequest(req)
	case errors.Is(err, libra.ErrOpen):
		doc.Note = "already asked for and not yet answered: this is the same request"
		if v, ok := s.memory.page(req.Page); ok && v.open > 0 {
			doc.State = v.page().State
		}
	default:
		s.refused.Add(1)
		s.log.Warn("submission refused", "url", url, "client", client, "err", err)
		return accepted{}, refusal(url, err)
	}
	return doc, nil
}

func refusal(url string, err error) *problem {
	if errors.Is(err, libra.ErrFull) {
		return unavailable("full", fmt.Sprintf("the page %q was not accepted, the store of requests is full: try again when some are done", url))
	}
	return unavailable("bus", fmt.Sprintf("the page %q was not accepted, the bus cannot store it right now: try again in a few seconds", url))
}

// readSubmission is the URL in a JSON body {"url":…}.
func readSubmission(w http.ResponseWriter, r *http.Request) (string, *problem) {
	if p := mediaType(r, "application/json"); p != nil {
		return "", p
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return "", bodyProblem(err, "the body")
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return "", badRequest("json", fmt.Sprintf(`the body is not a JSON object (%s): send {"url": "https://example.org/"}`, err))
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		if key != "url" {
			return "", badRequest("unknown-key", fmt.Sprintf(`key %q is unknown: send {"url": "https://example.org/"}`, key))
		}
	}
	var url *string
	if err := json.Unmarshal(fields["url"], &url); fields["url"] == nil || err != nil || url == nil {
		return "", badRequest("url", `key "url" must be a text: send {"url": "https://example.org/"}`)
	}
	return *url, nil
}

func mediaType(r *http.Request, want string) *problem {
	got := r.Header.Get("Content-Type")
	if name, _, err := mime.ParseMediaType(got); err != nil || name != want {
		return plainProblem(http.StatusUnsupportedMediaType, fmt.Sprintf("Content-Type %q is not taken here: send %s", got, want))
	}
	return nil
}

func bodyProblem(err error, what string) *problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return plainProblem(http.StatusRequestEntityTooLarge, fmt.Sprintf("%s is longer than %d bytes: send one URL of at most %d", what, large.Limit, libra.MaxURLBytes))
	}
	return badRequest("body", fmt.Sprintf("%s cannot be read (%s): send it again, whole", what, err))
}

// clientOf is who asks: what X-Libra-Client says, else the peer's address.
func clientOf(r *http.Request) (string, *problem) {
	name := strings.TrimSpace(r.Header.Get("X-Libra-Client"))
	if len(name) > maxClient {
		return "", badRequest("client", fmt.Sprintf("X-Libra-Client %.40q… is %d bytes long: at most %d are taken", name, len(name), maxClient))
	}
	if name != "" {
		return name, nil
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr // a Unix socket has no port
	}
	if host, _, _ = strings.Cut(host, "%"); host == "" || host == "@" {
		host = "local"
	}
	return host, nil
}

// sortable is base32 whose order is that of the bytes.
var sortable = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// requestID is unique and sorts by time: 48 bits of milliseconds, 72 of
// chance, in 24 characters.
func requestID(now time.Time) string {
	var b [15]byte
	binary.BigEndian.PutUint64(b[:8], uint64(now.UnixMilli())<<16)
	rand.Read(b[6:])
	return sortable.EncodeToString(b[:])
}
