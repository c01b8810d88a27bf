// Package libra is the vocabulary every other package speaks: pages, reports,
// assets, alarms, and the errors that cross process borders. It imports the
// standard library only and does no input or output.
//
// All sizes are bytes, all times UTC, all JSON keys snake_case. Types are
// plain data: they are copied, not shared.
package libra

import "errors"

// Errors that callers match. Wrap them with the value at fault.
var (
	// ErrUnavailable: nothing durable can take the work right now; try later.
	ErrUnavailable = errors.New("not available right now")
	// ErrFull: the store is at its limit; try when it has drained.
	ErrFull = errors.New("no space left for it")
	// ErrTooLarge: what takes the work never takes so much at once; do not try again.
	ErrTooLarge = errors.New("too large")
	// ErrOpen: the page already has an open request from this client.
	ErrOpen = errors.New("already asked for")
	// ErrNotFound: no such page, report or alarm.
	ErrNotFound = errors.New("not found")
)
