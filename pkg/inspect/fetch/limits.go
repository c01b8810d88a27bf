package fetch

import "time"

// Limits bounds what one stranger's server may cost. A zero field takes its
// default; a negative one lifts the limit.
type Limits struct {
	// HeaderBytes bounds the headers of one response. Default 256 KiB, as in
	// Chromium.
	HeaderBytes int64
	// EncodedBytes bounds one body on the wire. Default 50 MiB.
	EncodedBytes int64
	// DecodedBytes bounds one body after Content-Encoding is undone. Default
	// 100 MiB.
	DecodedBytes int64
	// HeldBytes bounds the part of a decoded body that is kept for the engine;
	// what follows is still counted. Default 8 MiB.
	HeldBytes int64
	// PageBytes bounds headers and encoded bodies of one session together.
	// Default 200 MiB.
	PageBytes int64
	// Ratio bounds decoded over encoded bytes, once a body has decoded to more
	// than 1 MiB. Default 250.
	Ratio int
	// Encodings bounds stacked Content-Encodings. Default 3.
	Encodings int
	// Redirects bounds the redirects followed by one Get. Default 10.
	Redirects int
	// URLBytes bounds a URL, redirect targets included. Default
	// libra.MaxURLBytes.
	URLBytes int
	// ConnsPerHost bounds HTTP/1.1 connections to one host, as browsers do.
	// Default 6.
	ConnsPerHost int
	// ConnectTimeout bounds name lookup, connect and TLS handshake, each.
	// Default 10 s.
	ConnectTimeout time.Duration
	// HeaderTimeout runs from the request's start on its connection to the end
	// of the response's headers. Default 15 s.
	HeaderTimeout time.Duration
	// IdleTimeout bounds the wait for the next byte of a body. Default 10 s.
	IdleTimeout time.Duration
	// AssetTimeout bounds one hop on its connection, headers and body. Waiting
	// for one of the host's connections does not count. Default 30 s.
	AssetTimeout time.Duration
	// MinThroughput is the average, in encoded bytes per second, that a body
	// must keep up once Grace is over. Default 1024.
	MinThroughput int64
	// Grace is how long a body may crawl before MinThroughput holds. Default
	// 10 s.
	Grace time.Duration
}

// DefaultUserAgent is a desktop Chromium's, so that servers send what they
// send browsers, with Libra's name, so that they can tell.
const DefaultUserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Libra"
