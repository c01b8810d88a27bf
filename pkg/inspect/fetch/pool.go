package fetch

import (
	"bufio"
	"context"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	idleTime = 30 * time.Second // for which a connection is kept unused, at least
	mostIdle = 256              // of all hosts together
	ioBuffer = 4 << 10
)

// pool holds the HTTP/1.1 connections of a client, so many to a host at most.
// Who asks works on the connection by itself: there are no goroutines but those
// that ask.
type pool struct {
	net  *network
	most int // to one host

	mu    sync.Mutex
	hosts map[string]*lane // by scheme and address; under mu
	idle  int              // of all hosts; under mu
	sweep *time.Timer      // nil while nothing is idle; under mu
}

// lane is the connections to one host, under the pool's mu.
type lane struct {
	open    int            // connections, and leave given to make one
	idle    []*h1conn      // the one used last stands last
	waiting []chan *h1conn // in the order come; nil is leave to make one
}

func newPool(n *network, most int) *pool {
	return &pool{net: n, most: most, hosts: map[string]*lane{}}
}

// get gives a connection to u's host, used before or new, as soon as there may
// be one.
func (p *pool) get(ctx context.Context, u *url.URL) (*h1conn, error) {
	key := u.Scheme + " " + addr(u)
	for {
		c, turn := p.take(key)
		if turn != nil {
			select {
			case c = <-turn:
			case <-ctx.Done():
				p.leave(key, turn)
				return nil, ctx.Err()
			}
		}
		if c == nil {
			return p.dial(ctx, key, u)
		}
		if c.quiet() {
			c.reused = true
			return c, nil
		}
		p.drop(c)
	}
}

// take gives an idle connection, or leave to make one, or where neither is to
// be had what one comes through.
func (p *pool) take(key string) (c *h1conn, turn chan *h1conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.hosts[key]
	if l == nil {
		l = &lane{}
		p.hosts[key] = l
	}
	switch n := len(l.idle); {
	case n > 0:
		c = l.idle[n-1]
		l.idle = l.idle[:n-1]
		p.idle--
	case l.open < p.most:
		l.open++
	default:
		turn = make(chan *h1conn, 1)
		l.waiting = append(l.waiting, turn)
	}
	return c, turn
}

// leave stops waiting, and passes on what has come meanwhile.
func (p *pool) leave(key string, turn chan *h1conn) {
	p.mu.Lock()
	if l := p.hosts[key]; l != nil {
		if i := slices.Index(l.waiting, turn); i >= 0 {
			l.waiting = slices.Delete(l.waiting, i, i+1)
			p.mu.Unlock()
			return
		}
	}
	p.mu.Unlock()
	if c := <-turn; c != nil {
		p.put(c)
		return
	}
	p.gone(key)
}

func (p *pool) dial(ctx context.Context, key string, u *url.URL) (*h1conn, error) {
	dial := p.net.tcp
	if u.Scheme == "https" {
		dial = p.net.dialH1
	}
	raw, err := dial(ctx, addr(u))
	if err != nil {
		p.gone(key)
		return nil, err
	}
	c := &h1conn{conn: raw, key: key}
	c.br, c.bw = bufio.NewReaderSize(c, ioBuffer), bufio.NewWriterSize(raw, ioBuffer)
	if s, ok := raw.socket.(syscall.Conn); ok {
		c.raw, _ = s.SyscallConn() // nil: then it is not looked at
	}
	return c, nil
}

// put gives c back for others to use.
func (p *pool) put(c *h1conn) {
	c.since = time.Now()
	p.mu.Lock()
	l := p.hosts[c.key]
	if len(l.waiting) > 0 {
		l.waiting[0] <- c
		l.waiting = l.waiting[1:]
		p.mu.Unlock()
		return
	}
	if p.idle >= mostIdle {
		p.mu.Unlock()
		p.drop(c)
		return
	}
	l.idle = append(l.idle, c)
	if p.idle++; p.sweep == nil {
		p.sweep = time.AfterFunc(idleTime, p.closeOld)
	}
	p.mu.Unlock()
}

// drop closes c and lets the next one make a connection.
func (p *pool) drop(c *h1conn) {
	c.Close()
	p.gone(c.key)
}

// gone gives the place of a connection that is no more to who waits.
func (p *pool) gone(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.hosts[key]
	if len(l.waiting) > 0 {
		l.waiting[0] <- nil
		l.waiting = l.waiting[1:]
		return
	}
	if l.open--; l.open == 0 {
		delete(p.hosts, key)
	}
}

// closeOld closes what has not been used for idleTime.
func (p *pool) closeOld() { p.closeIdle(time.Now().Add(-idleTime)) }

// closeIdle closes what has not been used since then.
func (p *pool) closeIdle(then time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, l := range p.hosts {
		n := 0
		for n < len(l.idle) && !l.idle[n].since.After(then) {
			l.idle[n].Close()
			n++
		}
		l.idle = slices.Delete(l.idle, 0, n)
		p.idle -= n
		if l.open -= n; l.open == 0 {
			delete(p.hosts, key)
		}
	}
	if p.sweep = nil; p.idle > 0 {
		p.sweep = time.AfterFunc(idleTime, p.closeOld)
	}
}

// close closes all idle connections.
func (p *pool) close() { p.closeIdle(time.Now()) }
