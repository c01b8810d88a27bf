package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

func isUnavailable(err error) bool { return errors.Is(err, libra.ErrUnavailable) }

// OpenPages lists the pages with an open request, by page id.
func (c *Conn) OpenPages(ctx context.Context) ([]string, error) {
	info, err := c.requestInfo(ctx, event.AllRequests)
	if err != nil {
		return nil, err
	}
	var pages []string
	for subject := range info.State.Subjects {
		if at, ok := event.RequestOf(subject); ok {
			pages = append(pages, at.Page)
		}
	}
	return pages, nil
}

// OpenRequest is the newest open request for a page, or libra.ErrNotFound.
func (c *Conn) OpenRequest(ctx context.Context, page string) (event.Request, error) {
	return lastOf[event.Request](ctx, c, event.RequestStream, event.PageRequests(page))
}

// SubscribeRequests calls fn for every request as it is accepted. It is lossy
// while the bus is away: see OpenPages.
func (c *Conn) SubscribeRequests(fn func(event.Request)) (stop func(), err error) {
	return subscribe(c, event.AllRequests, fn)
}

// requestInfo is the state of the stream of requests, with the subjects of the stored
// ones that match a filter.
func (c *Conn) requestInfo(ctx context.Context, filter string) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := c.stream(ctx, event.RequestStream)
	if err != nil {
		return nil, unavailable(err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(filter))
	return info, unavailable(err)
}

// stream is a handle that outlives outages; calls on it may fail.
func (c *Conn) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if s, ok := c.streams.Load(name); ok {
		return s.(jetstream.Stream), nil
	}
	s, err := c.js.Stream(ctx, name)
	if err == nil {
		c.streams.Store(name, s)
	}
	return s, err
}

// lastOf reads the last message that matches subject.
func lastOf[T any](ctx context.Context, c *Conn, stream, subject string) (v T, err error) {
	v, _, err = newest[T](ctx, c, stream, subject)
	return v, err
}

// newest reads the last message that matches subject, and its place on the stream. A
// message that is refused is not found: what it has taken the place of may be in the
// history.
func newest[T any](ctx context.Context, c *Conn, stream, subject string) (v T, seq uint64, err error) {
	msg, err := c.lastMessage(ctx, stream, subject)
	if err != nil {
		return v, 0, err
	}
	if seq, err = strconv.ParseUint(msg.Header.Get(jetstream.SequenceHeader), 10, 64); err != nil {
		return v, 0, fmt.Errorf("%w: bus: read the place of a message on %s: %w", libra.ErrUnavailable, subject, err)
	}
	if v, err = decode[T](c, msg.Header.Get(jetstream.SubjectHeader), msg.Data); err != nil {
		return v, seq, libra.ErrNotFound
	}
	return v, seq, nil
}

// lastMessage is the last message that matches subject, or libra.ErrNotFound, from the
// stream's own subject for that: a key permits it for some subjects of a stream and not
// for others.
func (c *Conn) lastMessage(ctx context.Context, stream, subject string) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	msg, err := c.nc.RequestWithContext(ctx, "$JS.API.DIRECT.GET."+stream+"."+subject, nil)
	if err != nil {
		return nil, unavailable(err)
	}
	switch status := msg.Header.Get("Status"); status {
	case "":
		return msg, nil
	case "404":
		return nil, libra.ErrNotFound
	default:
		return nil, fmt.Errorf("%w: bus: %s %s", libra.ErrUnavailable, status, msg.Header.Get("Description"))
	}
}
