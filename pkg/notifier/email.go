package notifier

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

func newEmail(c rules.Channel, cfg Config, w writer) (provider, error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w", c.Server, err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w", c.Server, err)
	}
	opts := []mail.Option{mail.WithPort(number), mail.WithTimeout(cfg.Timeout), mail.WithoutNoop()}
	switch c.Security {
	case rules.TLS:
		opts = append(opts, mail.WithSSL())
	case rules.None:
		opts = append(opts, mail.WithTLSPolicy(mail.NoTLS))
	default:
		opts = append(opts, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if cfg.MailRoots != nil {
		opts = append(opts, mail.WithTLSConfig(&tls.Config{RootCAs: cfg.MailRoots, ServerName: host, MinVersion: tls.VersionTLS12}))
	}
	if c.Credential != "" {
		password, err := cfg.credential(c.Credential)
		if err != nil {
			return nil, err
		}
		auth := mail.SMTPAuthAutoDiscover
		if c.Security == rules.None { // on this host: nobody reads along
			auth = mail.SMTPAuthPlainNoEnc
		}
		opts = append(opts, mail.WithSMTPAuth(auth), mail.WithUsername(c.User), mail.WithPassword(password.text))
	}
	return &email{c.From, c.To, host, opts, w}, nil
}

// email sends mail. Each message has a connection of its own: they are rare,
// and servers end idle ones.
type email struct {
	from    string
	to      []string
	server  string
	options []mail.Option
	writer  writer
}

func (e *email) send(ctx context.Context, m message) (receipt, error) {
	msg, err := e.compose(m)
	if err != nil {
		return receipt{}, &refusal{reason: err.Error(), permanent: true}
	}
	client, err := mail.NewClient(e.server, e.options...)
	if err != nil {
		return receipt{}, &refusal{reason: "mail server: " + err.Error(), permanent: true}
	}
	if err := client.DialWithContext(ctx); err != nil {
		return receipt{}, judgeMail("cannot use the mail server", err, true)
	}
	stop := context.AfterFunc(ctx, func() { client.Close() })
	defer stop()
	err = client.Send(msg)
	stop()
	_ = client.Close() // the answer has been given
	if err != nil {
		return receipt{}, judgeMail("the mail server", err, false)
	}
	return receipt{answer: "the mail server answered " + strconv.Quote(flat(msg.ServerResponse(), mostAnswer))}, nil
}

func (e *email) compose(m message) (*mail.Msg, error) {
	l := e.writer.content(m)
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(e.from); err != nil {
		return nil, fmt.Errorf("sender %q: %w", e.from, err)
	}
	if err := msg.To(e.to...); err != nil {
		return nil, fmt.Errorf("recipients %q: %w", e.to, err)
	}
	msg.Subject(flat(l.text, textLimit))
	msg.SetDateWithValue(m.at)
	first := m.Notifications[0].Transition
	msg.SetMessageIDWithValue(e.id(m, first.ID))
	// One conversation an alarm, from its raise to its clear (RFC 5322, 3.6.4).
	if m.Kind != trial && len(m.Notifications) == 1 {
		thread := "<" + e.id(message{Kind: "thread"}, first.Alarm.ID+first.Alarm.Since.UTC().String()) + ">"
		msg.SetGenHeader(mail.HeaderReferences, thread)
		msg.SetGenHeader(mail.HeaderInReplyTo, thread)
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answers from holidays
	msg.SetGenHeader(mail.HeaderXMailer, "Libra/"+e.writer.version)
	if first.Alarm.Severity == libra.Critical && first.Alarm.State == libra.Raised {
		msg.SetImportance(mail.ImportanceHigh)
	}
	msg.SetBodyString(mail.TypeTextPlain, l.plain())
	return msg, nil
}

// id is the same for the same message: a repeat is one mail to most readers.
func (e *email) id(m message, what string) string {
	sum := sha256.Sum256([]byte(string(m.Kind) + strconv.Itoa(len(m.Notifications)) + what))
	if m.Kind == reminded || m.Kind == trial {
		sum = sha256.Sum256(append(sum[:], m.at.String()...))
	}
	return hex.EncodeToString(sum[:12]) + "@libra." + e.server
}

// judgeMail distinguishes a refusal from an unknown result: only the answer to the end
// of the message can get lost.
func judgeMail(who string, err error, dialing bool) error {
	var reply *textproto.Error
	var sent *mail.SendError
	code, text := 0, err.Error()
	unknown, ofMessage := false, false
	if errors.As(err, &reply) {
		code = reply.Code
	}
	if errors.As(err, &sent) {
		code = sent.ErrorCode()
		content := sent.Reason == mail.ErrSMTPDataClose || sent.Reason == mail.ErrWriteContent
		unknown = code == 0 && content
		ofMessage = code >= 500 && (content || sent.Reason == mail.ErrSMTPData)
	}
	var cert *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	reason := who + ": " + flat(text, 2*mostAnswer)
	if unknown && !dialing {
		return errors.New(reason)
	}
	final := code >= 500 || errors.As(err, &cert) || errors.As(err, &authority) || errors.Is(err, mail.ErrNoSupportedAuthDiscovered)
	// 552 is a message that is too large, or a mailbox that is full (RFC 3463, 5.2.2).
	return &refusal{reason: reason, permanent: final, message: (ofMessage || code == 552) && !strings.Contains(text, "5.2.2")}
}
