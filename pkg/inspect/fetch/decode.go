package fetch

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
)

// zstdWindow is the largest window that RFC 9659 allows.
const zstdWindow = 8 << 20

// Decoders and buffers are expensive to make and are reused.
var (
	gzipPool   sync.Pool // *gzip.Reader
	zlibPool   sync.Pool // io.ReadCloser and zlib.Resetter
	flatePool  sync.Pool // io.ReadCloser and flate.Resetter
	brotliPool sync.Pool // *brotli.Reader
	zstdPool   sync.Pool // *zstd.Decoder
	bufioPool  = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}
)

// encodings lists the Content-Encodings to decode, in the order of application. As
// in Chromium, one unknown name means that nothing is decoded.
func encodings(h http.Header) (names []string) {
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(line, ",") {
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "", "identity":
			case "gzip", "x-gzip":
				names = append(names, "gzip")
			case "deflate", "br", "zstd":
				names = append(names, name)
			default:
				return nil
			}
		}
	}
	return names
}

// decoder decodes a stack of encodings. It reads its source only on Read.
type decoder struct {
	io.Reader
	release []func()
}

func newDecoder(src io.Reader, names []string) *decoder {
	d := &decoder{Reader: src}
	for i := len(names) - 1; i >= 0; i-- {
		d.Reader = &layer{name: names[i], src: d.Reader, owner: d}
	}
	return d
}

func (d *decoder) close() {
	for _, f := range d.release {
		f()
	}
	d.release = nil
}

// layer decodes one encoding. It is opened at the first Read: decoders read a
// header when they are made, and an empty body has none.
type layer struct {
	name  string
	src   io.Reader
	owner *decoder
	r     io.Reader
}

func (l *layer) Read(p []byte) (int, error) {
	if l.r == nil {
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	n, err := l.r.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("decode %s: %w", l.name, err)
	}
	return n, err
}

func (l *layer) open() (err error) {
	br := bufioPool.Get().(*bufio.Reader)
	br.Reset(l.src)
	l.owner.release = append(l.owner.release, func() { br.Reset(nil); bufioPool.Put(br) })
	head, err := br.Peek(2)
	if len(head) == 0 {
		return err // io.EOF: an empty body
	}
	switch l.name {
	case "gzip":
		err = l.openGzip(br)
	case "deflate":
		err = l.openDeflate(br, head)
	case "br":
		l.openBrotli(br)
	case "zstd":
		err = l.openZstd(br)
	}
	if err != nil {
		return fmt.Errorf("decode %s: %w", l.name, err)
	}
	return nil
}

func (l *layer) openGzip(br *bufio.Reader) (err error) {
	z, ok := gzipPool.Get().(*gzip.Reader)
	if ok {
		err = z.Reset(br)
	} else {
		z, err = gzip.NewReader(br)
	}
	if err != nil {
		return err
	}
	z.Multistream(false) // Chromium ignores what follows the first member
	l.r = z
	l.owner.release = append(l.owner.release, func() { gzipPool.Put(z) })
	return nil
}

// openDeflate accepts the zlib format, which RFC 9110 calls deflate, and the raw
// deflate that some servers send under that name.
func (l *layer) openDeflate(br *bufio.Reader, head []byte) (err error) {
	if len(head) == 2 && head[0]&0x0f == 8 && (uint(head[0])<<8|uint(head[1]))%31 == 0 {
		z, ok := zlibPool.Get().(io.ReadCloser)
		if ok {
			err = z.(zlib.Resetter).Reset(br, nil)
		} else {
			z, err = zlib.NewReader(br)
		}
		if err != nil {
			return err
		}
		l.r = z
		l.owner.release = append(l.owner.release, func() { zlibPool.Put(z) })
		return nil
	}
	z, ok := flatePool.Get().(io.ReadCloser)
	if !ok {
		z = flate.NewReader(br)
	} else if err := z.(flate.Resetter).Reset(br, nil); err != nil {
		return err
	}
	l.r = z
	l.owner.release = append(l.owner.release, func() { flatePool.Put(z) })
	return nil
}

func (l *layer) openBrotli(br *bufio.Reader) {
	z, ok := brotliPool.Get().(*brotli.Reader)
	if !ok {
		z = new(brotli.Reader)
	}
	// Reset reports nothing but a nil source.
	_ = z.Reset(br)
	l.r = z
	l.owner.release = append(l.owner.release, func() { brotliPool.Put(z) })
}

func (l *layer) openZstd(br *bufio.Reader) (err error) {
	z, ok := zstdPool.Get().(*zstd.Decoder)
	if !ok {
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return err
		}
	}
	if err := z.Reset(br); err != nil {
		return err
	}
	l.r = z
	l.owner.release = append(l.owner.release, func() {
		if z.Reset(nil) == nil {
			zstdPool.Put(z)
		}
	})
	return nil
}
