package fetch

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"libra/pkg/libra"
)

// Limits bounds what one server may cost. A zero field takes its default; a
// negative one means no limit.
type Limits struct {
	// HeaderBytes bounds the headers of one response. Default 256 KiB, as in
	// Chromium.
	HeaderBytes int64
	// EncodedBytes bounds one body before decoding. Default 50 MiB.
	EncodedBytes int64
	// DecodedBytes bounds one body after decoding. Default 100 MiB.
	DecodedBytes int64
	// HeldBytes bounds the part of a decoded body that is kept for the engine; the
	// rest is counted only. Default 8 MiB.
	HeldBytes int64
	// PageBytes bounds headers and encoded bodies of one session together.
	// Default 200 MiB.
	PageBytes int64
	// Ratio bounds decoded over encoded bytes, once a body has decoded to more
	// than 1 MiB. Default 250.
	Ratio int
	// Encodings bounds stacked Content-Encodings. Default 3.
	Encodings int
	// Redirects bounds the redirects followed by one Get. Default 20, as the Fetch
	// Standard has it and browsers do.
	Redirects int
	// URLBytes bounds a URL, redirect targets included. Default
	// libra.MaxURLBytes.
	URLBytes int
	// ConnsPerHost bounds HTTP/1.1 connections to one host, as browsers do.
	// Default 6.
	ConnsPerHost int
	// ConnectTimeout bounds name lookup with connect, and the TLS handshake.
	// Default 10 s.
	ConnectTimeout time.Duration
	// HeaderTimeout runs from the request's start on its connection to the end
	// of the response's headers. Default 15 s.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next byte of a body. Default 10 s.
	IdleTimeout time.Duration
	// AssetTimeout bounds one hop on its connection, headers and body. Waiting
	// for one of the host's connections does not count. Default 30 s.
	AssetTimeout time.Duration
	// MinThroughput is the least average, in encoded bytes per second, of a body
	// after Grace. Default 1024.
	MinThroughput int64
	// Grace is the time before MinThroughput applies to a body. Default 10 s.
	Grace time.Duration
}

// ratioFloor is the decoded size from which Limits.Ratio applies: short texts may
// compress far better and are harmless.
const ratioFloor = 1 << 20

func (l Limits) withDefaults() Limits {
	or(&l.HeaderBytes, 256<<10)
	or(&l.EncodedBytes, 50<<20)
	or(&l.DecodedBytes, 100<<20)
	or(&l.HeldBytes, 8<<20)
	or(&l.PageBytes, 200<<20)
	orCount(&l.Ratio, 250)
	orCount(&l.Encodings, 3)
	orCount(&l.Redirects, 20)
	orCount(&l.URLBytes, libra.MaxURLBytes)
	orCount(&l.ConnsPerHost, 6)
	or(&l.ConnectTimeout, 10*time.Second)
	or(&l.HeaderTimeout, 15*time.Second)
	or(&l.IdleTimeout, 10*time.Second)
	or(&l.AssetTimeout, 30*time.Second)
	l.MinThroughput = cmp.Or(l.MinThroughput, 1024) // negative: no limit
	or(&l.Grace, 10*time.Second)
	return l
}

// or sets *v to def if it is zero, and to a value that nothing reaches if it is
// negative.
func or[T int64 | time.Duration](v *T, def T) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = math.MaxInt64 / 4
	}
}

// orCount is or for counts.
func orCount(v *int, def int) {
	switch {
	case *v == 0:
		*v = def
	case *v < 0:
		*v = math.MaxInt32
	}
}

// Limit is one of [Limits] that was reached. Match it with errors.As.
type Limit struct {
	// Name is the limit in snake case: "encoded_bytes".
	Name string
	// Value is the limit for people: "52.4 MB", "10 s".
	Value string
	// What happened, up to the value: "body cut at".
	What string
}

// Error is one line: "body cut at 52.4 MB: limit encoded_bytes".
func (l *Limit) Error() string { return l.What + " " + l.Value + ": limit " + l.Name }

// Reason is for libra.ReasonOf.
func (l *Limit) Reason() libra.Reason { return libra.Reason{Code: libra.CodeLimit, Text: l.Error()} }

func bytesLimit(name, what string, n int64) *Limit {
	return &Limit{Name: name, Value: libra.FormatBytes(n), What: what}
}

func countLimit(name, what string, n int) *Limit {
	return &Limit{Name: name, Value: strconv.Itoa(n), What: what}
}

func timeLimit(name, what string, d time.Duration) *Limit {
	return &Limit{Name: name, Value: libra.FormatDuration(d), What: what}
}

// commonLimits are the limits that every request has, made once.
type commonLimits struct{ header, answer, asset, idle *Limit }

func newCommonLimits(l Limits) commonLimits {
	return commonLimits{
		header: bytesLimit("header_bytes", "headers cut at", l.HeaderBytes),
		answer: timeLimit("header_timeout", "no response within", l.HeaderTimeout),
		asset:  timeLimit("asset_timeout", "not complete within", l.AssetTimeout),
		idle:   timeLimit("idle_timeout", "body cut, no more data within", l.IdleTimeout),
	}
}
