package css_test

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
)

// be joins values in big-endian order.
func be(values ...any) []byte {
	var b bytes.Buffer
	for _, v := range values {
		if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

// testFont builds a TrueType font that maps every character from lo to hi to
// an empty glyph: enough for a browser to accept it.
func testFont(lo, hi uint32) []byte {
	name := func() []byte {
		text := []byte{0, 'T'}
		ids := []uint16{1, 2, 3, 4, 6}
		out := be(uint16(0), uint16(len(ids)), uint16(6+12*len(ids)))
		for _, id := range ids {
			out = append(out, be(uint16(3), uint16(1), uint16(0x409), id, uint16(len(text)), uint16(0))...)
		}
		return append(out, text...)
	}
	os2 := make([]byte, 96)
	copy(os2, be(uint16(4), int16(500), uint16(400), uint16(5)))
	copy(os2[62:], be(uint16(0x40), uint16(0x20), uint16(0xffff), int16(800), int16(-200), int16(0), uint16(800), uint16(200)))
	post := make([]byte, 32)
	copy(post, be(uint32(0x30000)))
	tables := map[string][]byte{
		"OS/2": os2,
		"post": post,
		"name": name(),
		"head": be(uint32(0x10000), uint32(0x10000), uint32(0), uint32(0x5f0f3cf5), uint16(3), uint16(1000),
			int64(0), int64(0), int16(0), int16(0), int16(500), int16(800), uint16(0), uint16(8), int16(2), int16(0), int16(0)),
		"hhea": be(uint32(0x10000), int16(800), int16(-200), int16(0), uint16(500), int16(0), int16(0), int16(0),
			int16(1), int16(0), int16(0), int64(0), int16(0), uint16(2)),
		"maxp": be(uint32(0x10000), uint16(2), make([]byte, 26)),
		"hmtx": be(uint16(500), int16(0), uint16(500), int16(0)),
		"loca": make([]byte, 6),
		"glyf": {0},
		"cmap": be(uint16(0), uint16(1), uint16(3), uint16(10), uint32(12),
			uint16(13), uint16(0), uint32(28), uint32(0), uint32(1), lo, hi, uint32(1)),
	}
	names := slices.Sorted(maps.Keys(tables))
	n := len(names)
	power := bits.Len(uint(n)) - 1
	out := be(uint32(0x10000), uint16(n), uint16(16<<power), uint16(power), uint16(16*n-16<<power))
	offset := 12 + 16*n
	var body []byte
	for _, tag := range names {
		data := tables[tag]
		out = append(out, tag...)
		padded := append(slices.Clone(data), make([]byte, (4-len(data)%4)%4)...)
		var sum uint32
		for i := 0; i < len(padded); i += 4 {
			sum += binary.BigEndian.Uint32(padded[i:])
		}
		out = append(out, be(sum, uint32(offset), uint32(len(data)))...)
		offset += len(padded)
		body = append(body, padded...)
	}
	return append(out, body...)
}
