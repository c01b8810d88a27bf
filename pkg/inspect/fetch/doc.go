// Package fetch gets one URL as a browser would and says to the byte what it
// cost. It knows HTTP and nothing of what it carries: no HTML, no CSS.
//
// A [Client] holds the connections, shared by all inspections. A [Session] is
// one inspection: a cookie jar and a budget of bytes. [Session.Get] follows
// redirects itself and answers with one [Hop] for every request made, sizes in
// the three numbers that tools keep mixing up:
//
//	HeaderBytes   status line and headers as they were on the wire
//	EncodedBytes  body on the wire, transfer framing aside, still compressed
//	DecodedBytes  body after Content-Encoding is undone
//
// Every URL comes from a stranger and so does every byte it returns. The
// address is checked at each connect, after the name is resolved, so neither a
// redirect nor a rebinding name reaches a private network; nothing in the
// environment (proxies) is obeyed; and everything that can grow or last is
// bounded by [Limits]. A limit that is hit ends that one request, keeps the
// figures counted so far, and is a [*Limit] whose text a person understands.
package fetch
