package weburl

import (
	"fmt"

	"github.com/nlnwa/whatwg-url/errors"
)

// Kind is what is wrong with the text of a URL.
type Kind int

// What can be wrong.
const (
	NoScheme    Kind = iota + 1 // no scheme, and nothing to resolve it against
	OtherScheme                 // Part is its scheme, neither http nor https
	NoHost                      // no host
	InvalidHost                 // Part is its host, which is neither a name nor an address
	InvalidIPv4                 // Part is its host, which ends in a number and is no IPv4 address
	InvalidIPv6                 // the host is in brackets, or has one, and is no IPv6 address
	InvalidPort                 // the port is not a number up to 65535
	TooLong                     // longer than is parsed
)

// Error says why a text is no http or https URL. Its text has no part of a
// URL that could be a password.
type Error struct {
	Kind Kind
	Part string
}

func (e *Error) Error() string {
	switch e.Kind {
	case NoScheme:
		return "it has no scheme such as https://"
	case OtherScheme:
		return fmt.Sprintf("it has scheme %q", e.Part)
	case NoHost:
		return "it names no host"
	case InvalidIPv4:
		return fmt.Sprintf("host %q ends in a number and is not an IPv4 address", e.Part)
	case InvalidIPv6:
		return "its host is not an IPv6 address"
	case InvalidPort:
		return "its port must be 0 to 65535"
	case TooLong:
		return fmt.Sprintf("it is longer than %d bytes", maxOdd)
	}
	return fmt.Sprintf("host %q is neither a name nor an address", e.Part)
}

// explain turns an error of the library into an Error.
func (d *domain) explain(err error) error {
	if d.fault != nil {
		return d.fault
	}
	switch errors.Type(err) {
	case errors.HostMissing, errors.InvalidCredentials:
		return &Error{Kind: NoHost}
	case errors.PortMissing, errors.PortOutOfRange, errors.PortInvalid:
		return &Error{Kind: InvalidPort}
	}
	return &Error{Kind: InvalidIPv6} // all others are of addresses in brackets
}
