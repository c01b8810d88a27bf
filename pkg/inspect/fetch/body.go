package fetch

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

const (
	chunk      = 32 << 10 // read at once
	pooledBody = 1 << 20  // larger buffers are not pooled
)

var chunkPool = sync.Pool{New: func() any { return new([chunk]byte) }}

// encodedBody is a body before its encodings are undone. It counts bytes and
// enforces every limit on what a server sends.
type encodedBody struct {
	x     *exchange
	src   io.Reader
	n     int64
	since time.Time
	err   error // sticky: why the body ended; io.EOF if it did by itself
}

func (w *encodedBody) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	w.x.deadline.reset(w.x.lim.IdleTimeout, w.x.s.client.limits.idle)
	n, err := w.src.Read(p)
	w.n += int64(n)
	spent := w.x.s.spent.Add(int64(n))
	if err == nil {
		err = w.check(spent)
	}
	w.err = err
	return n, err
}

// pause stops the time limits of the body until resume is called.
func (w *encodedBody) pause() (resume func()) {
	started, restart := time.Now(), w.x.deadline.pause()
	return func() {
		waited := time.Since(started)
		w.since = w.since.Add(waited)
		restart(waited)
	}
}

// check compares the body with its limits after a read.
func (w *encodedBody) check(spent int64) error {
	lim := w.x.lim
	switch {
	case w.n > lim.EncodedBytes:
		return bytesLimit("encoded_bytes", "body cut at", lim.EncodedBytes)
	case spent > lim.PageBytes:
		return bytesLimit("page_bytes", "body cut, page has reached", lim.PageBytes)
	}
	if took := time.Since(w.since); took > lim.Grace && float64(w.n) < float64(lim.MinThroughput)*took.Seconds() {
		return &Limit{Name: "min_throughput", Value: libra.FormatBytes(lim.MinThroughput) + "/s", What: "body cut, slower than"}
	}
	return nil
}

// readBody counts the body, and keeps it if the engine reads it.
func (x *exchange) readBody(ctx context.Context, r Request, u weburl.URL, resp *http.Response) {
	started := time.Now()
	if x.location != "" {
		x.skipBody(resp)
		return
	}
	w := &encodedBody{x: x, src: resp.Body, since: started}
	names := encodings(resp.Header)
	var err error
	if len(names) > x.lim.Encodings {
		err = countLimit("encodings", "body not decoded, stacked encodings more than", x.lim.Encodings)
		names = nil
	}
	hold := err == nil && !r.Unread && keepsBody(r.Type, x.hop.MediaType)
	if e := x.decode(ctx, w, names, hold, resp.ContentLength); err == nil {
		err = e
	}
	// A decoder stops where its format ends. The bytes after that count too, and
	// the connection can be used again only when they are read.
	if err == nil || w.err == nil {
		if e := drain(w); err == nil {
			err = e
		}
	}
	x.hop.EncodedBytes, x.hop.Receive = w.n, time.Since(started)
	if err != nil {
		x.fail(x.explainBody(ctx, u, w, err))
	}
}

// skipBody discards the body of a redirect, which Chromium does not count. A
// short one is read, so that the connection can be used again.
func (x *exchange) skipBody(resp *http.Response) {
	x.deadline.reset(x.lim.IdleTimeout, x.s.client.limits.idle)
	n, _ := io.CopyN(io.Discard, resp.Body, chunk)
	x.s.spent.Add(n)
}

// decode reads the body through its decoders.
func (x *exchange) decode(ctx context.Context, w *encodedBody, names []string, hold bool, length int64) (err error) {
	p := chunkPool.Get().(*[chunk]byte)
	defer chunkPool.Put(p)
	var b *bodyBuffer
	if hold {
		if len(names) > 0 {
			length = -1 // it is the encoded length
		}
		b = newBodyBuffer(x.s.client.slots)
		x.held = b
	}
	d := newDecoder(w, names)
	defer d.close()
	var cut error
	for err == nil {
		to := p[:]
		if b != nil && cut == nil {
			if to, err = b.room(ctx, w, length); err != nil {
				w.err = err
				break
			}
		}
		var n int
		n, err = d.Read(to)
		x.hop.DecodedBytes += int64(n)
		if b != nil && cut == nil && n > 0 {
			keep := min(int64(n), x.lim.HeldBytes-int64(len(b.b)))
			b.b = append(b.b, to[:keep]...) // in place if to is part of the buffer
			if keep < int64(n) {
				cut = bytesLimit("held_bytes", "counted in full, read only up to", x.lim.HeldBytes)
			}
		}
		if err == nil && len(names) > 0 {
			err = x.checkDecoded(w)
		}
	}
	if err == io.EOF {
		return cut
	}
	return err
}

func (x *exchange) checkDecoded(w *encodedBody) error {
	n := x.hop.DecodedBytes
	switch {
	case n > x.lim.DecodedBytes:
		return bytesLimit("decoded_bytes", "decoded body cut at", x.lim.DecodedBytes)
	case n > ratioFloor && n/int64(x.lim.Ratio) > w.n:
		return countLimit("ratio", "body cut, it decodes to more than its size times", x.lim.Ratio)
	}
	return nil
}

func drain(w *encodedBody) error {
	p := chunkPool.Get().(*[chunk]byte)
	defer chunkPool.Put(p)
	for {
		if _, err := w.Read(p[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// explainBody returns why a body ended early. An error of the connection is the
// cause of the error that a decoder reports.
func (x *exchange) explainBody(ctx context.Context, u weburl.URL, w *encodedBody, err error) error {
	if l := (*Limit)(nil); errors.As(err, &l) {
		return l
	}
	if w.err == nil || w.err == io.EOF {
		return faultf(ErrEncoding, err, "body does not decode: %s", oneLine(err))
	}
	if l := (*Limit)(nil); errors.As(w.err, &l) {
		return l
	}
	if errors.Is(w.err, io.ErrUnexpectedEOF) && ctx.Err() == nil {
		return faultf(ErrCut, w.err, "body ended after %d bytes, before its announced end", w.n)
	}
	if f := explain(ctx, &x.s.client.limits, u, w.err); !errors.Is(f, ErrProtocol) {
		return f
	}
	return faultf(ErrCut, w.err, "body failed after %d bytes: %s", w.n, oneLine(w.err))
}
