// Package fault makes an inspector fail on purpose, so that suites and curious
// operators can see what holds. It is compiled in and does nothing until
// LIBRA_FAULTS=yes allows it. Then a page whose path holds /libra-fault/KIND
// has its inspector do, before it weighs the page:
//
//	error    give up with an error
//	slow     calculate for three seconds, then go on
//	spin     calculate for ever, deaf to every deadline
//	hunger   take memory until something ends it
//	crash    panic
package fault

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const marker = "/libra-fault/"

// ErrAsked is the error of the kind "error".
var ErrAsked = errors.New("the page's address asks for an error (LIBRA_FAULTS)")

// Inject does what the page's address asks for. An address that asks for
// nothing is none of its business.
func Inject(_ context.Context, page string) error {
	u, err := url.Parse(page)
	if err != nil {
		return nil // the engine says what is wrong with it
	}
	_, rest, ok := strings.Cut(u.Path, marker)
	if !ok {
		return nil
	}
	kind, _, _ := strings.Cut(rest, "/")
	switch kind {
	case "error":
		return ErrAsked
	case "slow":
		spin(3 * time.Second)
	case "spin":
		spin(1<<63 - 1)
	case "hunger":
		eat()
	case "crash":
		panic("the page's address asks for a crash (LIBRA_FAULTS): " + page)
	default:
		return fmt.Errorf("the page's address asks for the fault %q: use error, slow, spin, hunger or crash", kind)
	}
	return nil
}

// spin calculates and looks at nothing but the time.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// eat takes memory and touches all of it.
func eat() {
	var all [][]byte
	for {
		chunk := make([]byte, 1<<20)
		for i := range chunk {
			chunk[i] = byte(i)
		}
		all = append(all, chunk)
		time.Sleep(time.Millisecond) // about a gigabyte a second would take the machine with it
		_ = all
	}
}
