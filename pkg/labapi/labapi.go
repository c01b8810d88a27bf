// Package labapi is what libra-lab and those who operate it have in common: the documents of
// its control socket, and a client of that socket.
//
//	GET  /api/lab             State
//	POST /api/lab/dial        Dial -> State
//	POST /api/lab/inspectors  Dial -> State
//	POST /api/lab/do          Do -> Action: 202, it has begun
//	POST /api/lab/reset       State, once everything is undone
//
// What is refused is a Refusal.
package labapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// Socket is where libra-lab listens.
const Socket = "/run/libra-lab/lab.sock"

// Path begins the paths of the socket, and of libra-web's API, which passes them on.
const Path = "/api/lab"

// MostBody bounds a request and an answer, in bytes.
const MostBody = 64 << 10

// Dial is what a dial is set to.
type Dial struct {
	Value int `json:"value"`
}

// Do is what is to be done.
type Do struct {
	Action string `json:"action"`
	Unit   string `json:"unit,omitempty"` // of the actions that are about one
}

// State is everything about the lab.
type State struct {
	At             time.Time `json:"at"`
	Site           string    `json:"site"` // URL of the test site
	Rate           int       `json:"rate"` // submissions a second that the dial asks for
	MostRate       int       `json:"most_rate"`
	Inspectors     int       `json:"inspectors"`
	MostInspectors int       `json:"most_inspectors"`
	Total          Counts    `json:"total"` // since the start, or the last reset
	Last           Counts    `json:"last"`  // of the last WindowS seconds
	WindowS        int       `json:"window_s"`
	Fault          string    `json:"fault,omitempty"` // why a submission or a read failed last
	Kinds          []Kind    `json:"kinds"`           // never null, like all lists
	Units          []string  `json:"units"`           // that an action may be about
	Actions        []Action  `json:"actions"`         // the newest first, MostActions at most
}

// MostActions is how many actions are listed.
const MostActions = 20

// Counts are what the generator has counted.
type Counts struct {
	Submitted   int     `json:"submitted"`
	Accepted    int     `json:"accepted"`     // 202
	Refused     int     `json:"refused"`      // 429 and 503, with the time to try again
	Failed      int     `json:"failed"`       // without an answer, or with another one
	Skipped     int     `json:"skipped"`      // not sent: too many were without an answer
	Reads       int     `json:"reads"`        // answered with 200
	ReadsFailed int     `json:"reads_failed"` // not
	SubmitP99MS float64 `json:"submit_p99_ms"`
	ReadP99MS   float64 `json:"read_p99_ms"`
}

// Kind is something that the lab can do.
type Kind struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	Title string `json:"title"` // of its button
	Does  string `json:"does"`
	// OfUnit says that it is about one of State.Units.
	OfUnit bool `json:"of_unit"`
}

// States of an action.
const (
	Begun  = "in progress"
	Done   = "done"
	Failed = "failed"
)

// Action is something that the lab does, or has done.
type Action struct {
	Name  string    `json:"action"`
	Title string    `json:"title"`
	Unit  string    `json:"unit,omitempty"`
	At    time.Time `json:"at"`
	State string    `json:"state"`
	Text  string    `json:"text"` // what came of it
	Page  string    `json:"page,omitempty"`
}

// Refusal is an answer that is not 2xx.
type Refusal struct {
	Status int    `json:"status"`
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

func (r *Refusal) Error() string { return r.Text + ": " + r.Remedy }

// Client asks libra-lab.
type Client struct{ http *http.Client }

// timeout bounds a call: a reset waits until everything is undone.
const timeout = 15 * time.Second

// NewClient returns a client of the socket, whether anybody listens there or not.
func NewClient(socket string) *Client {
	var d net.Dialer
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", socket) }
	return &Client{&http.Client{Timeout: timeout, Transport: &http.Transport{DialContext: dial, MaxConnsPerHost: 4, IdleConnTimeout: 10 * time.Second}}}
}

// Call sends body to a path below Path, or gets it where method is GET, and reads the answer
// into into. What libra-lab refuses is a *Refusal; any other error is that it does not answer.
func (c *Client) Call(ctx context.Context, method, path string, body, into any) error {
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		sent = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://libra-lab"+Path+path, sent)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask libra-lab: %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, MostBody))
	if err != nil {
		return fmt.Errorf("read answer of libra-lab: %w", err)
	}
	if res.StatusCode >= 300 {
		r := &Refusal{Status: res.StatusCode}
		if json.Unmarshal(data, r) != nil || r.Text == "" {
			r.Text, r.Remedy = fmt.Sprintf("libra-lab answers %d", res.StatusCode), "see journalctl -u libra-lab"
		}
		return r
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read answer of libra-lab: %w", err)
	}
	return nil
}
