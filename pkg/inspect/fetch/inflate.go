package fetch

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"
	"sync"
)

// Most of what a page consists of comes as gzip, short enough to be held twice.
// gunzip undoes such a body in one go, several times as fast as a reader that
// must be able to stop after any byte. Whatever is out of the ordinary, errors
// above all, it leaves to that reader (FuzzGunzip holds both against each other).
//
// RFC 1951, RFC 1952.

// errUnusual says that a body is left to the decoder that reads step by step.
var errUnusual = errors.New("not an ordinary gzip body")

const (
	primaryBits  = 10 // of a code that the first table knows
	litlenCodes  = 288
	distCodes    = 32
	longestMatch = 258
	slack        = longestMatch + 8 // what a copy may write too much
)

// table decodes a Huffman code. An entry is symbol<<4 | length; length 0 stands
// for no code, or with anything above it for start<<8 | bits<<4 of a table for
// the rest of a longer code.
type table struct {
	first [1 << primaryBits]uint32
	rest  []uint32
}

// inflater is what one body needs, to be used again.
type inflater struct {
	src   []byte // deflate data and the trailer
	end   int    // of the data in src
	at    int    // of the next byte in src
	bits  uint64 // read, the next one lowest
	n     uint   // how many of them
	dst   []byte
	limit int // of dst, slack aside
	out   int // bytes written

	litlen, dist table
	lengths      [litlenCodes + distCodes]uint8
}

var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// gunzipSize is what a gzip body says that it decodes to.
func gunzipSize(body []byte) int {
	if len(body) < 18 {
		return -1
	}
	return int(binary.LittleEndian.Uint32(body[len(body)-4:]))
}

// gunzip decodes body into dst, which must have room for size bytes and slack.
// Only a body of one member of that size is ordinary.
func gunzip(dst, body []byte, size int) ([]byte, error) {
	head, ok := gzipHead(body)
	if !ok {
		return nil, errUnusual
	}
	z := inflaters.Get().(*inflater)
	defer func() { z.src, z.dst = nil, nil; inflaters.Put(z) }()
	src := body[head : len(body)-8]
	// What is decoded of the trailer does not go unnoticed: what was used is
	// counted.
	z.src, z.end, z.at, z.bits, z.n = body[head:], len(src), 0, 0, 0
	z.dst, z.limit, z.out = dst[:size+slack], size, 0
	if err := z.inflate(); err != nil {
		return nil, err
	}
	used := z.at - int(z.n/8)
	sum := binary.LittleEndian.Uint32(body[len(body)-8:])
	if used != len(src) || z.out != size || crc32.ChecksumIEEE(z.dst[:size]) != sum {
		return nil, errUnusual
	}
	return z.dst[:size], nil
}

// gzipHead is where the data begins in a body without optional fields.
func gzipHead(b []byte) (int, bool) {
	return 10, len(b) >= 18 && b[0] == 0x1f && b[1] == 0x8b && b[2] == 8 && b[3] == 0
}

// fill reads bits until there are 56 of them, or the source ends.
func (z *inflater) fill() {
	if z.at+8 <= len(z.src) {
		z.bits |= binary.LittleEndian.Uint64(z.src[z.at:]) << z.n
		z.at += int((63 - z.n) >> 3)
		z.n |= 56
		return
	}
	for z.n <= 56 && z.at < len(z.src) {
		z.bits |= uint64(z.src[z.at]) << z.n
		z.at++
		z.n += 8
	}
}

// take takes n bits, at most 16.
func (z *inflater) take(n uint) (uint, bool) {
	if z.n < n {
		if z.fill(); z.n < n {
			return 0, false
		}
	}
	v := uint(z.bits & (1<<n - 1))
	z.bits >>= n
	z.n -= n
	return v, true
}

// inflate decodes all blocks.
func (z *inflater) inflate() error {
	for {
		head, ok := z.take(3)
		if !ok {
			return errUnusual
		}
		switch head >> 1 {
		case 0:
			ok = z.stored()
		case 1:
			ok = z.fixed() && z.block()
		case 2:
			ok = z.dynamic() && z.block()
		default:
			ok = false
		}
		if !ok {
			return errUnusual
		}
		if head&1 == 1 {
			return nil
		}
	}
}

// stored copies a block that is not compressed.
func (z *inflater) stored() bool {
	// Back to the byte behind the one that was begun.
	z.at -= int(z.n / 8)
	z.bits, z.n = 0, 0
	if z.at+4 > z.end {
		return false
	}
	n := int(binary.LittleEndian.Uint16(z.src[z.at:]))
	if n != int(^binary.LittleEndian.Uint16(z.src[z.at+2:])) || z.at+4+n > z.end || z.out+n > z.limit {
		return false
	}
	z.at += 4
	z.out += copy(z.dst[z.out:], z.src[z.at:z.at+n])
	z.at += n
	return true
}

// fixed makes the tables that are the same everywhere.
func (z *inflater) fixed() bool {
	l := z.lengths[:]
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		case i < litlenCodes:
			l[i] = 8
		default:
			l[i] = 5
		}
	}
	return z.litlen.make(l[:litlenCodes]) && z.dist.make(l[litlenCodes:])
}

// order is how the lengths of the code for lengths stand.
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the tables of a block.
func (z *inflater) dynamic() bool {
	head, ok := z.take(14)
	literals, distances, codes := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if !ok || literals > 286 || distances > 30 {
		return false
	}
	var first [19]uint8
	for i := range codes {
		n, ok := z.take(3)
		if !ok {
			return false
		}
		first[order[i]] = uint8(n)
	}
	if !z.litlen.make(first[:]) || !z.readLengths(literals+distances) || z.lengths[256] == 0 {
		return false
	}
	return z.litlen.make(z.lengths[:literals]) && z.dist.make(z.lengths[literals:literals+distances])
}

// readLengths reads code lengths by the code in litlen.
func (z *inflater) readLengths(n int) bool {
	for i := 0; i < n; {
		z.fill()
		e, ok := z.litlen.look(z.bits)
		if !ok || uint(e&15) > z.n {
			return false
		}
		z.bits >>= e & 15
		z.n -= uint(e & 15)
		sym := e >> 4
		if sym < 16 {
			z.lengths[i] = uint8(sym)
			i++
			continue
		}
		extra, base, value := uint(2), uint(3), uint8(0)
		switch sym {
		case 16:
			if i == 0 {
				return false
			}
			value = z.lengths[i-1]
		case 17:
			extra = 3
		default:
			extra, base = 7, 11
		}
		more, ok := z.take(extra)
		if !ok || i+int(base+more) > n {
			return false
		}
		for range base + more {
			z.lengths[i] = value
			i++
		}
	}
	return true
}

// make builds the table for codes of the given lengths. A code that is not
// complete is left to the other decoder, but for the one that has a single code
// or none.
func (t *table) make(lengths []uint8) bool {
	var count [16]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	code, used := 0, 0
	var next [16]int
	for n := 1; n < 16; n++ {
		code = (code + count[n-1]) << 1
		next[n] = code
		used += count[n] << (15 - n)
	}
	if used != 1<<15 && (used > 1<<14 || count[1] != used>>14) {
		return false
	}
	clear(t.first[:])
	t.rest = t.rest[:0]
	for sym, n := range lengths {
		if n == 0 {
			continue
		}
		rev := int(bits.Reverse16(uint16(next[n])) >> (16 - n))
		next[n]++
		entry := uint32(sym)<<4 | uint32(n)
		if n <= primaryBits {
			for i := rev; i < 1<<primaryBits; i += 1 << n {
				t.first[i] = entry
			}
			continue
		}
		at := rev & (1<<primaryBits - 1)
		const deep = 15 - primaryBits // every second table is for the longest
		if t.first[at] == 0 {
			t.first[at] = uint32(len(t.rest))<<8 | deep<<4
			t.rest = append(t.rest, make([]uint32, 1<<deep)...)
		}
		second := t.rest[t.first[at]>>8:][:1<<deep]
		for i := rev >> primaryBits; i < 1<<deep; i += 1 << (n - primaryBits) {
			second[i] = entry
		}
	}
	return true
}

// look gives the entry of the code that v begins with.
func (t *table) look(v uint64) (uint32, bool) {
	e := t.first[v&(1<<primaryBits-1)]
	if e&15 == 0 {
		if e == 0 {
			return 0, false
		}
		e = t.rest[(e>>8)+uint32(v>>primaryBits)&(1<<(e>>4&15)-1)]
	}
	return e, e&15 != 0
}

var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
	}
	distExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// block decodes the symbols of a block. 48 bits are the most that a match
// takes, so that one fill is enough for it.
func (z *inflater) block() bool {
	src, dst, at, out := z.src, z.dst, z.at, z.out
	hold, n := z.bits, z.n
	for {
		if n < 48 {
			if at+8 <= len(src) {
				hold |= binary.LittleEndian.Uint64(src[at:]) << (n & 63)
				at += int((63 - n) >> 3)
				n |= 56
			} else {
				for n <= 56 && at < len(src) {
					hold |= uint64(src[at]) << (n & 63)
					at++
					n += 8
				}
			}
		}
		e, ok := z.litlen.look(hold)
		used := uint(e & 15)
		if !ok || used > n || out > z.limit {
			return false
		}
		hold >>= used
		n -= used
		sym := e >> 4
		if sym < 256 {
			dst[out] = byte(sym)
			out++
			continue
		}
		if sym == 256 {
			z.at, z.out, z.bits, z.n = at, out, hold, n
			return out <= z.limit
		}
		sym -= 257
		if sym >= 29 {
			return false
		}
		extra := uint(lengthExtra[sym])
		length := int(lengthBase[sym]) + int(hold&(1<<extra-1))
		hold >>= extra
		d, ok := z.dist.look(hold)
		if !ok || d>>4 >= 30 {
			return false
		}
		bitsOf := uint(d & 15)
		hold >>= bitsOf
		more := uint(distExtra[d>>4])
		distance := int(distBase[d>>4]) + int(hold&(1<<more-1))
		hold >>= more
		if used = extra + bitsOf + more; used > n || distance > out || out+length > z.limit {
			return false
		}
		n -= used
		repeatBytes(dst, out, distance, length)
		out += length
	}
}

// repeatBytes copies length bytes from distance before out to out; what it
// copies may be what it has just written, and it may write up to slack bytes.
func repeatBytes(dst []byte, out, distance, length int) {
	from := out - distance
	switch {
	case distance >= 8 && length <= 32:
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(dst[out+i:], binary.LittleEndian.Uint64(dst[from+i:]))
		}
	case distance >= length:
		copy(dst[out:out+length], dst[from:from+length])
	default:
		for done := 0; done < length; {
			// What was copied doubles what there is to copy.
			done += copy(dst[out+done:out+length], dst[from:out+done])
		}
	}
}
