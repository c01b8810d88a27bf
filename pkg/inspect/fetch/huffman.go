package fetch

import "math/bits"

// Huffman codes of deflate, as tables. An entry says all there is to know of
// what a code stands for, so that a symbol takes one look:
//
//	0-4    bits of the code and of what follows it to say how much
//	5-8    bits of the code alone
//	12     isRare: one of the next two, or no code at all
//	13     isEnd: the end of the block
//	14     isLink: codes longer than the table knows; another look
//	15     isLiteral
//	16-31  the byte; what a length or a distance begins at; or where in
//	       table.rest the entries for the rest of the code are

const (
	primaryBits = 10 // of a code that the first table knows
	restBits    = 15 - primaryBits
	litlenCodes = 288
	distCodes   = 32

	isRare    = 1 << 12
	isEnd     = 1 << 13
	isLink    = 1 << 14
	isLiteral = 1 << 15
)

// table decodes a Huffman code.
type table struct {
	first [1 << primaryBits]uint32
	rest  []uint32
}

// What the symbols stand for; the bits of the code come on top.
var (
	litlenSymbols = func() (s [litlenCodes]uint32) {
		for i := range 256 {
			s[i] = uint32(i)<<16 | isLiteral
		}
		s[256] = isRare | isEnd
		for i := range 29 {
			s[257+i] = uint32(lengthBase[i])<<16 | uint32(lengthExtra[i])
		}
		s[286], s[287] = isRare, isRare
		return s
	}()
	distSymbols = func() (s [distCodes]uint32) {
		for i := range 30 {
			s[i] = uint32(distBase[i])<<16 | uint32(distExtra[i])
		}
		s[30], s[31] = isRare, isRare
		return s
	}()
	lengthSymbols = func() (s [19]uint32) {
		for i := range s {
			s[i] = uint32(i) << 16
		}
		return s
	}()
)

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
	}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// make builds the table for codes of the given lengths, which stand for
// symbols. A code that is not complete is left to the other decoder, but for
// the one that has a single code or none.
func (t *table) make(lengths []uint8, symbols []uint32) bool {
	var count, next [16]int
	for _, n := range lengths {
		count[n]++
	}
	unused, used := count[0], 0
	count[0] = 0
	for n := 1; n < 16; n++ {
		next[n] = next[n-1] + count[n-1]
		used += count[n] << (15 - n)
	}
	var sorted [litlenCodes]uint16 // symbols by the length of their codes
	for sym, n := range lengths {
		if n > 0 {
			sorted[next[n]] = uint16(sym)
			next[n]++
		}
	}
	order := sorted[:len(lengths)-unused]
	switch {
	case used == 1<<15:
		t.fill(order, lengths, symbols)
		return true
	case len(order) > 1 || count[1] != len(order):
		return false
	}
	for i := range t.first {
		if t.first[i] = isRare; i&1 == 0 && len(order) == 1 {
			t.first[i] = symbols[order[0]] + 1 + 1<<5
		}
	}
	return true
}

// fill writes the entries of a complete code, the shortest first. An entry of
// n bits is right for all longer codes too that begin with it: what has been
// written is doubled for every bit more.
func (t *table) fill(order []uint16, lengths []uint8, symbols []uint32) {
	t.rest = t.rest[:0]
	code, size, link := 0, 1, -1 // the next code, its lowest bit first
	var rest []uint32
	for _, sym := range order {
		n := int(lengths[sym])
		for size < 1<<min(n, primaryBits) {
			copy(t.first[size:2*size], t.first[:size])
			size *= 2
		}
		entry := symbols[sym] + uint32(n) + uint32(n)<<5
		if n <= primaryBits {
			t.first[code] = entry
		} else {
			if at := code & (1<<primaryBits - 1); at != link {
				link = at
				t.first[at] = uint32(len(t.rest))<<16 | isRare | isLink
				t.rest = append(t.rest, make([]uint32, 1<<restBits)...)
				rest = t.rest[len(t.rest)-1<<restBits:]
			}
			for i := code >> primaryBits; i < 1<<restBits; i += 1 << (n - primaryBits) {
				rest[i] = entry
			}
		}
		// One more, the highest bit being the last: what is 1 from there on turns 0.
		bit := 1 << bits.Len(uint(code^(1<<n-1))) >> 1
		code = code&(bit-1) | bit
	}
	for ; size < 1<<primaryBits; size *= 2 {
		copy(t.first[size:2*size], t.first[:size])
	}
}

// look gives the entry of the code that v begins with.
func (t *table) look(v uint64) uint32 {
	e := t.first[v&(1<<primaryBits-1)]
	if e&isLink != 0 {
		e = t.rest[uint64(e>>16)+v>>primaryBits&(1<<restBits-1)]
	}
	return e
}
