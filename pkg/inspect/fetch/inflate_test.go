package fetch_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"libra/pkg/inspect/fetch"
)

// gzipped is what gzip.Writer makes of text.
func gzipped(t testing.TB, text []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(text)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// texts are of all kinds: nothing, one byte, prose, noise, one byte over and
// over, and what has few values.
func texts(t testing.TB) map[string][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	noise, few := make([]byte, 100_000), make([]byte, 100_000)
	for i := range noise {
		noise[i], few[i] = byte(r.Uint32()), "abcd\n"[min(r.IntN(20), 4)]
	}
	page, err := os.ReadFile("inflate.go")
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"nothing": {}, "one": []byte("x"), "prose": page, "noise": noise, "few": few, "same": bytes.Repeat([]byte("x"), 200_000),
		"pairs": []byte(strings.Repeat("ab", 50_000)), "seven": []byte(strings.Repeat("abcdefg", 10_000)), "nine": []byte(strings.Repeat("abcdefghi", 10_000)),
	}
}

func TestGunzip(t *testing.T) {
	for name, text := range texts(t) {
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
			got, ok := fetch.Gunzip(gzipped(t, text, level))
			if !ok || !bytes.Equal(got, text) {
				t.Errorf("%s, level %d: ok %v, %d bytes; want %d", name, level, ok, len(got), len(text))
			}
		}
	}
}

// TestGunzipDamaged cuts bodies short and turns bits round: what comes out must
// be what the careful decoder makes of them, or nothing.
func TestGunzipDamaged(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, text := range texts(t) {
		if len(text) > 20_000 {
			text = text[:20_000]
		}
		for _, level := range []int{flate.BestSpeed, flate.BestCompression, flate.NoCompression} {
			whole := gzipped(t, text, level)
			for range 60 {
				body := bytes.Clone(whole)
				if r.IntN(3) == 0 {
					body = body[:r.IntN(len(body))]
				} else {
					body[r.IntN(len(body))] ^= 1 << r.IntN(8)
				}
				careful(t, body)
			}
		}
	}
}

// careful holds Gunzip against compress/gzip.
func careful(t *testing.T, body []byte) {
	t.Helper()
	got, ok := fetch.Gunzip(body)
	if !ok {
		return
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("gunzip decodes what has a bad head: %v", err)
	}
	z.Multistream(false)
	want, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("got %d bytes, want %d: %v", len(got), len(want), err)
	}
}

func FuzzGunzip(f *testing.F) {
	for _, text := range texts(f) {
		if len(text) > 2000 {
			text = text[:2000]
		}
		for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestCompression} {
			body := gzipped(f, text, level)
			f.Add(body[10:len(body)-8], text)
		}
	}
	f.Fuzz(func(t *testing.T, data, text []byte) {
		// With a trailer that fits, so that more than the checksum decides.
		if plain, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), 1<<20)); err == nil {
			text = plain
		}
		body := append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}, data...)
		body = binary.LittleEndian.AppendUint32(body, crc32.ChecksumIEEE(text))
		careful(t, binary.LittleEndian.AppendUint32(body, uint32(len(text))))
		careful(t, data)
	})
}

func BenchmarkGunzip(b *testing.B) {
	text, err := os.ReadFile("inflate.go")
	if err != nil {
		b.Fatal(err)
	}
	text = bytes.Repeat(text, 4)
	body := gzipped(b, text, flate.BestSpeed)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, ok := fetch.Gunzip(body); !ok {
			b.Fatal("unusual")
		}
	}
}
