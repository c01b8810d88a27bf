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

// outage holds why there is no connection, and when that was logged: one of the
// goroutines that wait logs it, and not too often.
type outage struct {
	mu     sync.Mutex
	cause  error     // under mu; of the last attempt to connect
	logged time.Time // under mu; zero while connected
}

func (a *outage) failed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cause = err
}

func (a *outage) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cause, a.logged = nil, time.Time{}
}

// shouldLog reports whether the outage is to be logged now, and notes that it is.
func (a *outage) shouldLog(every time.Duration) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.logged.IsZero() && time.Since(a.logged) < every {
		return false
	}
	a.logged = time.Now()
	return true
}

// outageCause is why there is no connection, as far as is known: the server's own
// error, if it sent one; else that of the last attempt; else err.
func (c *Conn) outageCause(err error) error {
	if last := c.nc.LastError(); last != nil {
		return last
	}
	c.outage.mu.Lock()
	defer c.outage.mu.Unlock()
	if c.outage.cause != nil {
		return c.outage.cause
	}
	return err
}

// logOutage logs that an operation fails, or that there is no bus: the URL, the
// cause and the remedy.
func (c *Conn) logOutage(what string, err error) {
	if !c.outage.shouldLog(c.cfg.Remind) {
		return
	}
	if c.Connected() {
		c.log.Warn("bus operation failed, retrying", "operation", what, "url", redacted(c.cfg.URL), "err", err)
		return
	}
	why := c.outageCause(err)
	c.log.Warn("bus cannot be reached, retrying", "operation", what, "url", redacted(c.cfg.URL), "err", why, "remedy", c.remedy(why))
}

func (c *Conn) remedy(why error) string {
	switch {
	case errors.Is(why, nats.ErrAuthorization) && c.cfg.Seed == "":
		return "no key is configured: --nats-seed names its file"
	case errors.Is(why, nats.ErrAuthorization):
		return "the bus does not accept the key " + c.cfg.Seed + ": systemctl restart libra-keys creates missing keys, systemctl restart libra.target loads them"
	case errors.Is(why, syscall.ECONNREFUSED), errors.Is(why, nats.ErrNoServers):
		return "nothing listens there: systemctl start libra-bus, or correct LIBRA_BUS_LISTEN or LIBRA_NATS_URL"
	}
	return "check that a NATS server listens at LIBRA_BUS_LISTEN, or LIBRA_NATS_URL, and that neither a firewall nor IPAddressDeny= of this unit is in between (docs/operations.md#a-bus-at-another-address)"
}

// redacted removes the passwords from URLs.
func redacted(urls string) string {
	list := strings.Split(urls, ",")
	for i, one := range list {
		if u, err := url.Parse(one); err == nil {
			list[i] = u.Redacted()
		}
	}
	return strings.Join(list, ",")
}
