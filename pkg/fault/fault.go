// Package fault makes an inspector fail on purpose, for test suites and for
// operators who want to see the consequences. It is compiled in and does nothing
// until LIBRA_FAULTS=yes allows it. Then a page whose path contains
// /libra-fault/KIND has its inspector do the following before the inspection:
//
//	error    return an error
//	slow     compute for three seconds, then continue
//	spin     compute forever and ignore every deadline
//	hunger   allocate memory until the process is ended
//	crash    panic
package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"libra/pkg/weburl"
)

const marker = "/libra-fault/"

// ErrAsked is the error of the kind "error".
var ErrAsked = errors.New("the page's address asks for an error (LIBRA_FAULTS)")

// Inject does what the page's address asks for, if anything.
func Inject(_ context.Context, page string) error {
	u, err := weburl.Parse(page)
	if err != nil {
		return nil // the engine reports it
	}
	_, rest, ok := strings.Cut(u.Path(), marker)
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

// spin computes for d and checks nothing but the time.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// eat allocates memory and writes all of it.
func eat() {
	var all [][]byte
	for {
		chunk := make([]byte, 1<<20)
		for i := range chunk {
			chunk[i] = byte(i)
		}
		all = append(all, chunk)
		time.Sleep(time.Millisecond) // about a gigabyte a second; more would bring the machine down
		_ = all
	}
}
