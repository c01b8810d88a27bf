package notifier_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"mime"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"libra/pkg/bus/bustest"
)

// postOffice is a real mail server on this host.
type postOffice struct {
	addr  string
	roots *x509.CertPool

	mu     sync.Mutex
	mails  []string // under mu; as received
	rcpts  []string // under mu
	refuse func(step string) error
	judge  func(mail string) error // of the content; nil accepts each
}

func newPostOffice(t *testing.T, implicit bool, refuse func(step string) error) *postOffice {
	p := &postOffice{refuse: refuse}
	cert := p.certify(t)
	srv := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &visit{p}, nil }))
	srv.Domain, srv.AllowInsecureAuth, srv.ErrorLog = "localhost", true, quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}}
	if implicit {
		l = tls.NewListener(l, srv.TLSConfig)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return p
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// certify makes a certificate for 127.0.0.1.
func (p *postOffice) certify(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	p.roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// visit is one connection to the post office.
type visit struct{ p *postOffice }

func (v *visit) AuthMechanisms() []string { return []string{sasl.Plain} }

func (v *visit) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "libra" || password != secret {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "who are you"}
		}
		return nil
	}), nil
}

func (v *visit) Mail(string, *smtp.MailOptions) error { return v.p.refuse("mail") }

func (v *visit) Rcpt(to string, _ *smtp.RcptOptions) error {
	if err := v.p.refuse("rcpt"); err != nil {
		return err
	}
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.rcpts = append(v.p.rcpts, to)
	return nil
}

func (v *visit) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := v.p.refuse("data"); err != nil {
		return err
	}
	if v.p.judge != nil {
		if err := v.p.judge(string(data)); err != nil {
			return err
		}
	}
	v.p.mu.Lock()
	defer v.p.mu.Unlock()
	v.p.mails = append(v.p.mails, string(data))
	return nil
}

func (v *visit) Reset()        {}
func (v *visit) Logout() error { return nil }

func (p *postOffice) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mails
}

func welcome(string) error { return nil }

func mailFile(p *postOffice, more string) string {
	return "[[channel]]\nname = \"mail\"\ntype = \"email\"\nserver = \"" + p.addr + "\"\nfrom = \"Libra <libra@example.org>\"\nto = [\"ann@example.org\", \"bob@example.org\"]\n" + more
}

var mailDecoder mime.WordDecoder

const login = "user = \"libra\"\ncredential = \"password\"\n"

// Raise and clear are one conversation; the subject says it all, and nothing a
// page calls itself becomes a header.
func TestEmail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		implicit bool
		more     string
	}{
		"starttls": {false, login},
		"tls":      {true, "security = \"tls\"\n" + login},
		"none":     {false, "security = \"none\"\n" + login},
		"no login": {false, "security = \"none\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPostOffice(t, c.implicit, welcome)
			d := newFixture(t, nil)
			d.cfg.MailRoots = p.roots
			d.credential("password", secret)
			d.configure(mailFile(p, c.more))
			d.run()
			raise, over := transition("web", 1), transition("web", 2)
			raise.Alarm.Summary = "Ünwell\r\nBcc: eve@example.org"
			over.Alarm.Since = raise.Alarm.Since
			d.publish(raise)
			d.publish(over)
			bustest.Await(t, "two mails", func() bool { return len(p.got()) == 2 })
			var threads []string
			for i, want := range []string{"[major] libra-web on box: Ünwell  Bcc: eve@example.org", "[cleared] libra-web on box: number 2, down for "} {
				m, err := mail.ReadMessage(strings.NewReader(p.got()[i]))
				if err != nil {
					t.Fatal(err)
				}
				h := m.Header
				subject, err := mailDecoder.DecodeHeader(h.Get("Subject"))
				if err != nil || !strings.HasPrefix(subject, want) {
					t.Errorf("subject %q, %v, want %q", subject, err, want)
				}
				if h.Get("Bcc") != "" || h.Get("To") != "<ann@example.org>, <bob@example.org>" || h.Get("From") != `"Libra" <libra@example.org>` || h.Get("Auto-Submitted") != "auto-generated" {
					t.Errorf("header %v", h)
				}
				threads = append(threads, h.Get("References"))
			}
			if threads[0] != threads[1] || threads[0] == "" {
				t.Errorf("conversations %q", threads)
			}
		})
	}
}

// A mail server that refuses is quoted, at once; what passes by itself is no
// trouble yet.
func TestEmailRefused(t *testing.T) {
	t.Parallel()
	say := func(at string, code int, text string) func(string) error {
		return func(step string) error {
			if step != at {
				return nil
			}
			return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
		}
	}
	for name, c := range map[string]struct {
		refuse  func(string) error
		more    string
		secret  string
		answer  string
		trouble bool
	}{
		"well":           {welcome, login, secret, "the mail server answered ", false},
		"wrong password": {welcome, login, "wrong", "535", true},
		"no recipient":   {say("rcpt", 550, "no such user"), login, secret, "no such user", true},
		"no sender":      {say("mail", 553, "go away"), login, secret, "go away", true},
		"content":        {say("data", 554, "spam"), login, secret, "spam", true},
		"greylisted":     {say("rcpt", 451, "come back later"), login, secret, "come back later", false},
		"no TLS here":    {welcome, "security = \"tls\"\n" + login, secret, "cannot use the mail server: tls:", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPostOffice(t, false, c.refuse)
			d := newFixtureWithout(t)
			d.cfg.MailRoots = p.roots
			d.cfg.Timeout = 5 * time.Second
			d.credential("password", c.secret)
			d.configure(mailFile(p, c.more))
			n := d.alone(t)
			bustest.Await(t, "channels", func() bool { return len(n.Try(t.Context(), "").Channels) == 1 })
			got := n.Try(t.Context(), "mail")
			if got.OK != (name == "well") || !strings.Contains(got.Answer, c.answer) || strings.Contains(got.Answer, c.secret) {
				t.Errorf("%+v, want %q", got, c.answer)
			}
			if troubles := n.Troubles(); (len(troubles) > 0) != c.trouble {
				t.Errorf("troubles %v, want some: %v", troubles, c.trouble)
			}
		})
	}
}

// A certificate that nobody vouches for is refused.
func TestEmailCertificate(t *testing.T) {
	t.Parallel()
	p := newPostOffice(t, false, welcome)
	d := newFixtureWithout(t)
	d.cfg.Timeout = 5 * time.Second
	d.credential("password", secret)
	d.configure(mailFile(p, login))
	n := d.alone(t)
	bustest.Await(t, "channels", func() bool { return len(n.Try(t.Context(), "").Channels) == 1 })
	if got := n.Try(t.Context(), "mail"); got.OK || !strings.Contains(got.Answer, "certificate signed by unknown authority") {
		t.Errorf("%+v", got)
	}
	if len(n.Troubles()) != 1 {
		t.Errorf("troubles %v", n.Troubles())
	}
}
