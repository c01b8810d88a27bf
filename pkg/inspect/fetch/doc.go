// Package fetch requests one URL as a browser would and counts to the byte what
// that transfers. It knows HTTP, and neither HTML nor CSS.
//
// A [Client] holds the connections, shared by all inspections. A [Session] is
// one inspection: a cookie jar and a limit on bytes. [Session.Get] follows
// redirects itself and returns one [Hop] for every request, with three sizes:
//
//	HeaderBytes   status line and headers as received
//	EncodedBytes  body as sent, without transfer framing, still compressed
//	DecodedBytes  body after decoding Content-Encoding
//
// URLs and responses are untrusted. The address is checked at each connect, after
// the name is resolved, so that neither a redirect nor DNS rebinding reaches a
// private network. Where private addresses are allowed, only what comes from one
// may lead to one; connections to them are kept apart from the others. Proxies in the environment are ignored. [Limits] bounds
// everything that can grow or last. A limit that is reached ends that one request,
// keeps the bytes counted so far, and is reported as a [*Limit] with a text for
// people.
package fetch
