package bus

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
)

// away knows why there is no connection, and sees that it is said, but by one of
// those who wait, and not too often.
type away struct {
	mu   sync.Mutex
	why  error     // under mu; of the last attempt to connect
	said time.Time // under mu; zero while connected
}

func (a *away) attempt(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.why = err
}

func (a *away) over() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.why, a.said = nil, time.Time{}
}

// due says whether it is to be said now.
func (a *away) due(every time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.said.IsZero() && time.Since(a.said) < every {
		return false
	}
	a.said = time.Now()
	return true
}

// unreached is why there is no connection, as far as is known: what the server
// said, if it let us come so far; else err.
func (c *Conn) unreached(err error) error {
	if last := c.nc.LastError(); last != nil {
		return last
	}
	c.away.mu.Lock()
	defer c.away.mu.Unlock()
	if c.away.why != nil {
		return c.away.why
	}
	return err
}

// complain says that there is no bus, where it was sought, why, and what to do.
func (c *Conn) complain(what string, err error) {
	if !c.away.due(c.cfg.Remind) {
		return
	}
	if c.Connected() {
		c.log.Warn("bus does not answer, trying again", "doing", what, "url", redacted(c.cfg.URL), "err", err)
		return
	}
	why := c.unreached(err)
	c.log.Warn("bus cannot be reached, trying again", "doing", what, "url", redacted(c.cfg.URL), "err", why, "remedy", c.remedy(why))
}

func (c *Conn) remedy(why error) string {
	switch {
	case errors.Is(why, nats.ErrAuthorization) && c.cfg.Seed == "":
		return "no key was given: --nats-seed names its file"
	case errors.Is(why, nats.ErrAuthorization):
		return "the bus does not know the key " + c.cfg.Seed + ": systemctl restart libra-keys makes what is missing, systemctl restart libra.target takes it"
	case errors.Is(why, syscall.ECONNREFUSED), errors.Is(why, nats.ErrNoServers):
		return "nothing listens there: systemctl start libra-bus; LIBRA_BUS_LISTEN, or LIBRA_NATS_URL, says where it is"
	}
	return "LIBRA_BUS_LISTEN, or LIBRA_NATS_URL, says where it is: is that a NATS server, and the way there open?"
}

// redacted takes the passwords off URLs.
func redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, one := range list {
		if u, err := url.Parse(one); err == nil {
			list[i] = u.Redacted()
		}
	}
	return strings.Join(list, ",")
}
