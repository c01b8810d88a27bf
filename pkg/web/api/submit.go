package api

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
	"net/http"
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/weburl"
)

const (
	// maxBody bounds what is read of a submission: the longest URL, with every
	// byte of it escaped.
	maxBody = 64 << 10
	// MaxClient bounds the name that a client gives itself, in bytes.
	MaxClient = 200
)

// accepted is what POST /api/pages answers.
type accepted struct {
	ID    string          `json:"id"`
	URL   string          `json:"url"`             // in normal form
	State libra.PageState `json:"state,omitempty"` // "" where nothing is known of the page
	Every string          `json:"every,omitempty"` // how often it is inspected from now on
	Note  string          `json:"note,omitempty"`
	// TraceID is that of the request; "" where an earlier one is open, and where none was made.
	TraceID string `json:"trace_id,omitempty"`
}

const pageExample = `{"url": "https://example.org/"}`

// PostPage serves POST /api/pages.
func (s *API) PostPage(w http.ResponseWriter, r *http.Request) {
	var url string
	var asked WatchAsked
	p := readFields(w, r, "url", pageExample, map[string]any{"url": &url, "every": &asked.Every, "budget": &asked.Budget})
	var doc accepted
	switch {
	case p != nil:
	case asked.Every == "" && asked.Budget != nil:
		p = BadRequest("budget", `a budget requires a watch`, `give "every" too, such as "30s"`)
	case asked.Every == "":
		doc, p = s.Submit(r, url)
	default:
		doc, p = s.Watch(r, url, asked)
	}
	if p != nil {
		s.Fail(w, r, p)
		return
	}
	w.Header().Set("Location", At(r, "/api/pages/"+doc.ID))
	w.Header().Set("Cache-Control", "no-store")
	code := http.StatusAccepted
	if asked.Every == WatchOff {
		code = http.StatusOK
	}
	writeJSON(w, code, doc)
}

// ReadForm reads what a page's form sends into r.PostForm.
func ReadForm(w http.ResponseWriter, r *http.Request) *Problem {
	if p := mediaType(r, "application/x-www-form-urlencoded"); p != nil {
		return p
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		return bodyProblem(err, "the form")
	}
	return nil
}

// Submit stores a request for a page. Without a problem it is durable.
func (s *API) Submit(r *http.Request, raw string) (accepted, *Problem) {
	ctx, cancel := context.WithTimeout(r.Context(), s.cfg.SubmitPatience)
	defer cancel()
	url, guessed, p := s.address(ctx, raw)
	if p != nil {
		return accepted{}, p
	}
	if p := s.reachable(url); p != nil {
		return accepted{}, p
	}
	req, p := s.request(r, event.Request{URL: url, SchemeGuessed: guessed})
	if p != nil {
		return accepted{}, p
	}
	slot, p := s.storing(ctx, r)
	if p != nil {
		return accepted{}, p
	}
	defer slot.End()
	if p := s.quarantine(ctx, req.Page, url); p != nil {
		return accepted{}, p
	}
	return s.ask(ctx, r, req)
}

// address returns the URL of the page that a text names, and whether its scheme was
// guessed. A text that is exactly the URL of a page that is known names that
// page, although URLs are written differently since: pages that were submitted to an
// earlier version keep their ids, their history and their watches.
func (s *API) address(ctx context.Context, raw string) (url string, guessed bool, p *Problem) {
	u, guessed, err := weburl.ParseTyped(raw)
	if err != nil {
		return "", false, BadRequestOf("url", err)
	}
	if text := strings.TrimSpace(raw); text != u.String() && wasForm(text) && s.knows(ctx, text) {
		return text, false, nil
	}
	return u.String(), guessed, nil
}

// wasForm reports whether text may be a URL as earlier versions wrote it.
func wasForm(text string) bool {
	scheme, rest, _ := strings.Cut(text, "://")
	return (scheme == "http" || scheme == "https") && strings.Contains(rest, "/") && !strings.Contains(rest, "#")
}

// knows reports whether url is the URL of a page. If the bus and the history cannot be
// read it is not.
func (s *API) knows(ctx context.Context, url string) bool {
	id := libra.PageID(url)
	if w, ok := s.state.Watches.Of(id); ok && w.URL != "" {
		return w.URL == url
	}
	v, err := s.state.Find(ctx, id)
	return err == nil && v.URL == url
}

// reachable refuses a page with an address in its URL that no inspector may reach.
func (s *API) reachable(url string) *Problem {
	u, _ := weburl.Parse(url)
	if err := s.cfg.Guard.CheckHost(u.Hostname()); err != nil {
		return BadRequestOf("address", err)
	}
	return nil
}

// request is the request for req's URL on behalf of the client of r; a problem where it is
// known without the bus that it is refused.
func (s *API) request(r *http.Request, req event.Request) (event.Request, *Problem) {
	client, p := s.clientOf(r)
	if p != nil {
		return req, p
	}
	now := time.Now().UTC()
	req.ID, req.Page, req.Site, req.Client, req.Label, req.Asked = requestID(now), libra.PageID(req.URL), s.cfg.Site, client.key, client.label, now
	if sent := r.Header.Values(trace.Header); len(sent) == 1 {
		req.Traceparent = trace.Valid(sent[0])
	}
	if open, full := s.full.of(req.Flow(), now); full {
		if known, _ := s.state.Memory.Page(req.Page); known.Open == 0 {
			s.refused.Add(1)
			return req, tooMany(req.URL, open)
		}
	}
	if since, why := s.state.Refused(); !since.IsZero() {
		s.refused.Add(1)
		return req, unavailable("history", libra.CodeHistoryBehind, fmt.Sprintf("the page %q was not accepted: %s", req.URL, why), "try again when libra-recorder has caught up; its alarm has the cause")
	}
	return req, nil
}

// ask stores a request, for which there is a slot. The note is set if its client has an
// open request for the page already.
func (s *API) ask(ctx context.Context, r *http.Request, req event.Request) (accepted, *Problem) {
	defer s.busy.Begin()()
	now, by := req.Asked, client{req.Client, req.Label}.name()
	doc := accepted{ID: req.Page, URL: req.URL, State: libra.Queued}
	err := s.persist(ctx, func(ctx context.Context) error { return s.conn.Submit(ctx, req) })
	switch {
	case err == nil:
		s.cfg.Traces.Export(req, func() []trace.Span { return trace.Accepted(req, time.Now()) })
		doc.TraceID = trace.ID(req)
		s.log.Debug("request accepted", "request", req.ID, "trace_id", doc.TraceID, "page", req.Page, "url", req.URL, "client", by)
		s.submitted.Add(1)
		s.state.SetStoring("", now)
		s.state.OnRequest(req)
	case errors.Is(err, libra.ErrOpen):
		s.state.OnRefused(req)
		doc.Note = "already asked for and not yet answered: this is the same request"
		if known, _ := s.state.Memory.Page(req.Page); known.Open > 0 {
			doc.State = known.Page().State
		}
	default:
		s.refused.Add(1)
		if p := s.refuseTooMany(req, err, now); p != nil {
			s.log.Debug("submission refused", "url", req.URL, "client", by, "err", err)
			return accepted{}, p
		}
		if r.Context().Err() == nil { // else it was the client who gave up
			s.state.SetStoring(err.Error(), now)
		}
		s.log.Warn("submission refused", "url", req.URL, "client", by, "err", err)
		return accepted{}, refusal(req.URL, err)
	}
	return doc, nil
}

func refusal(url string, err error) *Problem {
	if errors.Is(err, libra.ErrFull) {
		return unavailable("full", libra.CodeStoreFull, fmt.Sprintf("the page %q was not accepted, the store of requests is full", url), "try again when some are done")
	}
	return unavailable("bus", libra.CodeNotStored, fmt.Sprintf("the page %q was not accepted, the bus cannot store it right now", url), "try again in a few seconds")
}

// readFields reads a JSON body into the fields that it may have: strings, and
// what is left as JSON. required is the key that must be there; without one, no
// body is an empty object. example is what a good body looks like.
func readFields(w http.ResponseWriter, r *http.Request, required, example string, into map[string]any) *Problem {
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return bodyProblem(err, "the body")
	}
	if required == "" && len(data) == 0 {
		return nil
	}
	if p := mediaType(r, "application/json"); p != nil {
		return p
	}
	if p := readObject(data, "the body", example, into); p != nil || required == "" {
		return p
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil || keys[required] == nil {
		return mustBeText(required, example)
	}
	return nil
}

func mustBeText(key, example string) *Problem {
	return BadRequest(key, fmt.Sprintf(`key %q must be a string`, key), fmt.Sprintf(`send %s`, example))
}

// readObject reads a JSON object that is called what. No data is an empty object.
func readObject(data []byte, what, example string, into map[string]any) *Problem {
	var fields map[string]json.RawMessage
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, &fields); err != nil {
		return BadRequest("json", fmt.Sprintf(`%s is not a JSON object (%s)`, what, err), fmt.Sprintf(`send %s`, example))
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		target, known := into[key]
		if !known {
			return BadRequest("unknown-key", fmt.Sprintf(`key %q is unknown: allowed are %s`, key, strings.Join(slices.Sorted(maps.Keys(into)), ", ")), "send "+example)
		}
		if raw, ok := target.(*json.RawMessage); ok {
			*raw = fields[key]
		} else if err := json.Unmarshal(fields[key], target); err != nil || string(fields[key]) == "null" {
			return mustBeText(key, example)
		}
	}
	return nil
}

func mediaType(r *http.Request, want string) *Problem {
	got := r.Header.Get("Content-Type")
	name, params, err := mime.ParseMediaType(got)
	if err != nil || name != want {
		return PlainProblem(http.StatusUnsupportedMediaType, libra.CodeMediaType, fmt.Sprintf("unsupported Content-Type %q", got), fmt.Sprintf("send %s", want))
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8", "us-ascii":
		return nil
	}
	return PlainProblem(http.StatusUnsupportedMediaType, libra.CodeMediaType, fmt.Sprintf("unsupported charset %q", params["charset"]), fmt.Sprintf("send %s in UTF-8", want))
}

func bodyProblem(err error, what string) *Problem {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return PlainProblem(http.StatusRequestEntityTooLarge, libra.CodeTooLarge, fmt.Sprintf("%s is longer than %d bytes", what, large.Limit), fmt.Sprintf("send one URL of at most %d", libra.MaxURLBytes))
	}
	return BadRequest("body", fmt.Sprintf("%s cannot be read (%s)", what, err), "send it again, whole")
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

// Submitted counts the requests that were accepted, Refused those that nothing
// durable could take.
func (s *API) Submitted() int64 { return s.submitted.Load() }

// Refused: see Submitted.
func (s *API) Refused() int64 { return s.refused.Load() }

// Busy is how long submissions have been in progress, those of several added up, in
// microseconds.
func (s *API) Busy() int64 { return s.busy.Spent() }
