package fetch

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
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
	longestMatch = 258
	slack        = longestMatch + 64 // what may be written too much
)

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
	return z.tables(litlenCodes, distCodes)
}

// tables makes the tables by the lengths that were read.
func (z *inflater) tables(literals, distances int) bool {
	l := z.lengths[:literals+distances]
	return z.litlen.make(l[:literals], litlenSymbols[:]) && z.dist.make(l[literals:], distSymbols[:])
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
	if !z.litlen.make(first[:], lengthSymbols[:]) || !z.readLengths(literals+distances) || z.lengths[256] == 0 {
		return false
	}
	return z.tables(literals, distances)
}

// readLengths reads code lengths by the code in litlen.
func (z *inflater) readLengths(n int) bool {
	for i := 0; i < n; {
		z.fill()
		e := z.litlen.look(z.bits)
		if e&isRare != 0 || uint(e&31) > z.n {
			return false
		}
		z.bits >>= e & 31
		z.n -= uint(e & 31)
		sym := e >> 16
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

// block decodes the symbols of a block: without a look at the ends of source
// and destination while both are far, and carefully from there on.
func (z *inflater) block() bool {
	for z.at+2*8 <= len(z.src) && z.out <= z.limit {
		if done, ok := z.quick(); done || !ok {
			return ok
		}
	}
	for {
		z.fill()
		e := z.litlen.look(z.bits)
		if uint(e&31) > z.n || z.out > z.limit {
			return false
		}
		if e&isLiteral == 0 && e&isRare == 0 {
			if !z.match(e) {
				return false
			}
			continue
		}
		z.bits >>= e & 31
		z.n -= uint(e & 31)
		if e&isRare != 0 {
			return e&isEnd != 0 && z.out <= z.limit
		}
		z.dst[z.out] = byte(e >> 16)
		z.out++
	}
}

// match copies what the length in e and the distance behind it say. One fill
// is enough for both: 48 bits at most.
func (z *inflater) match(e uint32) bool {
	hold := z.bits
	length := int(e>>16) + int(hold&(1<<(e&31)-1)>>(e>>5&15))
	hold >>= e & 31
	d := z.dist.look(hold)
	distance := int(d>>16) + int(hold&(1<<(d&31)-1)>>(d>>5&15))
	used := uint(e&31 + d&31)
	if d&isRare != 0 || used > z.n || distance > z.out || z.out+length > z.limit {
		return false
	}
	z.bits, z.n = hold>>(d&31), z.n-used
	repeatBytes(z.dst, z.out, distance, length)
	z.out += length
	return true
}

// quick decodes symbols until an end is near or the block is done. It may go
// past the limit, by less than slack.
func (z *inflater) quick() (done, ok bool) {
	src, dst, at, out := z.src, z.dst, z.at, z.out
	hold, n := z.bits, z.n
	litlen, dist := &z.litlen, &z.dist
	for at+2*8 <= len(src) && out <= z.limit {
		at, hold, n = refill(src, at, hold, n)
		e := litlen.first[hold&(1<<primaryBits-1)]
		for e&isLiteral != 0 && n >= 2*primaryBits {
			hold >>= e & 31
			n -= uint(e & 31)
			dst[out] = byte(e >> 16)
			out++
			e = litlen.first[hold&(1<<primaryBits-1)]
		}
		at, hold, n = refill(src, at, hold, n)
		if e&isRare != 0 {
			e = litlen.look(hold)
		}
		if e&(isRare|isLiteral) != 0 {
			hold >>= e & 31
			n -= uint(e & 31)
			if e&isRare != 0 {
				z.at, z.out, z.bits, z.n = at, out, hold, n
				return true, e&isEnd != 0 && out <= z.limit
			}
			dst[out] = byte(e >> 16)
			out++
			continue
		}
		length := int(e>>16) + int(hold&(1<<(e&31)-1)>>(e>>5&15))
		hold >>= e & 31
		d := dist.look(hold)
		distance := int(d>>16) + int(hold&(1<<(d&31)-1)>>(d>>5&15))
		hold >>= d & 31
		n -= uint(e&31 + d&31)
		if d&isRare != 0 || distance > out {
			return false, false
		}
		if distance < 16 {
			repeatBytes(dst, out, distance, length)
		} else {
			from := out - distance
			*(*[16]byte)(dst[out:]) = *(*[16]byte)(dst[from:])
			for i := 16; i < length; i += 16 {
				*(*[16]byte)(dst[out+i:]) = *(*[16]byte)(dst[from+i:])
			}
		}
		out += length
	}
	z.at, z.out, z.bits, z.n = at, out, hold, n
	return false, true
}

// refill reads as many whole bytes as there is room for: 56 bits are there then,
// or more.
func refill(src []byte, at int, hold uint64, n uint) (int, uint64, uint) {
	hold |= binary.LittleEndian.Uint64(src[at:]) << (n & 63)
	return at + int((63-n)>>3), hold, n | 56
}

// repeatBytes copies length bytes from distance before out to out; what it
// copies may be what it has just written, and it may write a few bytes more.
func repeatBytes(dst []byte, out, distance, length int) {
	from := out - distance
	if distance >= 8 {
		for i := 0; i < length; i += 8 {
			*(*[8]byte)(dst[out+i:]) = *(*[8]byte)(dst[from+i:])
		}
		return
	}
	for done := 0; done < length; {
		// What was copied doubles what there is to copy.
		done += copy(dst[out+done:out+length], dst[from:out+done])
	}
}
