package main

import (
	"testing"

	"libra/pkg/event"
)

// The journal says of every stream that is made again what becomes of what it held.
func TestEveryStreamIsRestored(t *testing.T) {
	for _, name := range event.Streams() {
		if restoredFrom[name] == "" {
			t.Errorf("stream %s: nothing says who has what it held", name)
		}
	}
}
