package bus

import (
	"fmt"
	"unsafe"

	"libra/pkg/libra"
)

// What a message may take in memory once it is read: an element of an array takes that of
// its type, the largest of which is an asset, but may be two bytes of JSON. A message with
// more was not published by a component of Libra.
const (
	// mostElements bounds the elements of all arrays of a message. An asset of a report
	// has at least 128 bytes in JSON; budgets and reasons have less than 8,192 elements.
	mostElements = libra.MaxListBytes/128 + 8192
	// mostMembers bounds the members of an object: some become a map.
	mostMembers = 1000
	// mostDepth bounds arrays and objects within each other.
	mostDepth = 32
)

// elementSize is what an element of an array takes at most, without its texts.
const elementSize = int64(unsafe.Sizeof(libra.Asset{}))

// taken is what a message takes, as it was received and once it is read; the bytes alone
// of one that is refused.
func taken(data []byte) int64 {
	n, err := elements(data)
	if err != nil {
		return int64(len(data))
	}
	return 2*int64(len(data)) + int64(n)*elementSize
}

// elements counts the elements of the arrays of a JSON text, or says why no component
// of Libra publishes it. It reads no more than the structure of the text.
func elements(data []byte) (n int, err error) {
	var open [mostDepth + 1]struct {
		array   bool
		members int
	}
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			for i++; i < len(data) && data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			if depth++; depth > mostDepth {
				return n, fmt.Errorf("the message has more than %d arrays and objects within each other", mostDepth)
			}
			open[depth].array, open[depth].members = data[i] == '[', 1
			if data[i] == '[' {
				n++
			}
		case '}', ']':
			depth = max(depth-1, 0) // it is no JSON, which Unmarshal says
		case ',':
			if at := &open[depth]; at.array {
				n++
			} else if at.members++; at.members > mostMembers {
				return n, fmt.Errorf("an object of the message has more than %d members", mostMembers)
			}
			if n > mostElements {
				return n, fmt.Errorf("the arrays of the message have more than %d elements", mostElements)
			}
		}
	}
	return n, nil
}
