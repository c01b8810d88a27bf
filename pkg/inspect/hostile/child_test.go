package hostile_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/inspect"
	"libra/pkg/inspect/fetch"
	"libra/pkg/libra"
)

// childEnv makes the test binary run as the inspector process.
const childEnv = "LIBRA_HOSTILE_CHILD"

// memoryLimit is the unit's GOMEMLIMIT: the garbage collector works harder near
// it. It does not bound memory that is in use.
const memoryLimit = 128 << 20

// order is one inspection for the child to make.
type order struct {
	ID   int
	URL  string
	Cert []byte // DER of a certificate to trust
	DNS  string // address of the name server to ask
	// Patience is the page timeout, if pageTimeout is not enough.
	Patience time.Duration
}

// answer is the result of an order.
type answer struct {
	ID     int
	Report *libra.Report
	Took   time.Duration
	Peak   int64 // bytes
}

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	if err := inspectAll(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// inspectAll is the child: it works on orders as they arrive.
func inspectAll(r io.Reader, w io.Writer) error {
	debug.SetMemoryLimit(memoryLimit)
	debug.SetGCPercent(400) // as in the unit
	var mu sync.Mutex       // guards enc
	enc := json.NewEncoder(w)
	var dns atomic.Pointer[string] // the name server's address, once an order names it
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		if own := dns.Load(); own != nil {
			network, address = "udp", *own
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	var wg sync.WaitGroup
	defer wg.Wait()
	dec := json.NewDecoder(r)
	for {
		var o order
		if err := dec.Decode(&o); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read order: %w", err)
		}
		if o.DNS != "" {
			dns.Store(&o.DNS)
		}
		wg.Go(func() {
			a := inspectOne(o)
			mu.Lock()
			defer mu.Unlock()
			_ = enc.Encode(a) // the parent has exited, so this process ends too
		})
	}
}

func inspectOne(o order) answer {
	cfg := inspect.Config{
		Allow:       []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		PageTimeout: pageTimeout,
		Limits: inspect.Limits{RetryAfter: time.Second, Limits: fetch.Limits{
			ConnectTimeout: 700 * time.Millisecond, HeaderTimeout: 700 * time.Millisecond, IdleTimeout: 700 * time.Millisecond,
			AssetTimeout: 2 * time.Second, Grace: 300 * time.Millisecond,
		}},
	}
	if cert, err := x509.ParseCertificate(o.Cert); err == nil {
		roots := x509.NewCertPool()
		roots.AddCert(cert)
		cfg.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if o.Patience > 0 {
		cfg.PageTimeout, cfg.Limits.HeaderTimeout, cfg.Limits.IdleTimeout = o.Patience, o.Patience, o.Patience
		cfg.Limits.AssetTimeout = o.Patience
	}
	i := inspectors.get(string(o.Cert)+o.Patience.String(), cfg)
	started := time.Now()
	report := i.Inspect(context.Background(), o.URL, nil)
	return answer{ID: o.ID, Report: report, Took: time.Since(started), Peak: peakRSS()}
}

// shared has one Inspector per configuration, as an inspector process has one for
// all of its workers.
type shared struct {
	mu    sync.Mutex
	byKey map[string]*inspect.Inspector // under mu
}

var inspectors = shared{byKey: map[string]*inspect.Inspector{}}

func (s *shared) get(key string, cfg inspect.Config) *inspect.Inspector {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.byKey[key]
	if i == nil {
		i = inspect.New(cfg)
		s.byKey[key] = i
	}
	return i
}

// peakRSS is the peak resident memory of this process, 0 where the system does not
// report it.
func peakRSS() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, _ := strconv.ParseInt(strings.Fields(v)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// child is the inspector process, seen from the test.
type child struct {
	mu      sync.Mutex
	enc     *json.Encoder       // under mu
	waiting map[int]chan answer // under mu; closed when the process has ended
	next    int                 // under mu
}

func startChild(t *testing.T) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{enc: json.NewEncoder(in), waiting: map[int]chan answer{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.receive(bufio.NewReader(out))
	}()
	t.Cleanup(func() {
		in.Close()
		<-ended
		if err := cmd.Wait(); err != nil {
			t.Errorf("inspector process: %v", err)
		}
	})
	return c
}

// receive passes answers on until the process ends.
func (c *child) receive(r io.Reader) {
	dec := json.NewDecoder(r)
	for {
		var a answer
		err := dec.Decode(&a)
		c.mu.Lock()
		if err != nil {
			for _, w := range c.waiting {
				close(w)
			}
			c.waiting = nil
			c.mu.Unlock()
			return
		}
		c.waiting[a.ID] <- a
		delete(c.waiting, a.ID)
		c.mu.Unlock()
	}
}

// run starts a server and has it inspected.
func (c *child) run(t *testing.T, s scenario) outcome {
	var o order
	o.URL, o.Patience = s.start(t, &o), s.patience
	w := make(chan answer, 1)
	c.mu.Lock()
	if c.waiting == nil {
		c.mu.Unlock()
		t.Errorf("%s: the inspector process has ended", s.name)
		return outcome{scenario: s, got: &libra.Report{}}
	}
	c.next++
	o.ID = c.next
	c.waiting[o.ID] = w
	err := c.enc.Encode(o)
	c.mu.Unlock()
	if err != nil {
		t.Errorf("%s: order an inspection: %v", s.name, err)
	}
	a, ok := <-w
	if !ok {
		t.Errorf("%s: the inspector process ended during it", s.name)
		return outcome{scenario: s, got: &libra.Report{}}
	}
	return outcome{scenario: s, got: a.Report, took: a.Took, peak: a.Peak}
}
