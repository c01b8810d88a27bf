package libra

// The codes of reasons, by what is at fault. docs/reasons.md lists them with
// what they mean and what helps; a test compares the two.

// The address of a page or an asset.
const (
	// CodeInvalidURL: the text cannot be a page's address.
	CodeInvalidURL Code = "invalid-url"
	// CodeInvalidPrefix: the text is not an IP prefix.
	CodeInvalidPrefix Code = "invalid-prefix"
	// CodeAddressForbidden: the host has a private address that is not allowed, or
	// that a public page or redirect names; or the port belongs to another protocol.
	CodeAddressForbidden Code = "address-forbidden"
	// CodeHTTPOnly: the address was typed without a scheme, https does not answer,
	// and the page was inspected over http.
	CodeHTTPOnly Code = "http-only"
)

// Name lookup.
const (
	// CodeHostNotFound: the name server says that there is no such host.
	CodeHostNotFound Code = "host-not-found"
	// CodeNameServerSilent: no name server answered.
	CodeNameServerSilent Code = "name-server-silent"
	// CodeNameServerFailed: the name server answered with a failure.
	CodeNameServerFailed Code = "name-server-failed"
)

// The connection to the server.
const (
	// CodeConnectionRefused: nothing listens on the port.
	CodeConnectionRefused Code = "connection-refused"
	// CodeNoRoute: the network of this machine has no route to the address.
	CodeNoRoute Code = "no-route"
	// CodeConnectTimeout: no connection came about in time.
	CodeConnectTimeout Code = "connect-timeout"
	// CodeConnectionReset: the server reset the connection.
	CodeConnectionReset Code = "connection-reset"
	// CodeConnectionClosed: the server closed the connection without a response.
	CodeConnectionClosed Code = "connection-closed"
	// CodeAnswerTimeout: the server did not answer in time.
	CodeAnswerTimeout Code = "answer-timeout"
	// CodeConnectionFailed: the connection broke in another way.
	CodeConnectionFailed Code = "connection-failed"
	// CodeHostSuspended: the host gave no answer to several pages in a row and
	// is asked for one page at a time; this page was not asked for.
	CodeHostSuspended Code = "host-suspended"
	// CodeHostBusy: the host asked to wait for a while (429, or 503 with
	// Retry-After); this page was not asked for.
	CodeHostBusy Code = "host-busy"
	// CodeHostHeld: an operator has suspended the inspections of the host's pages.
	CodeHostHeld Code = "host-held"
)

// TLS.
const (
	// CodeCertificateUntrusted: no authority that this machine trusts has
	// signed the certificate.
	CodeCertificateUntrusted Code = "certificate-untrusted"
	// CodeCertificateHost: the certificate is for another host.
	CodeCertificateHost Code = "certificate-host"
	// CodeCertificateExpired: the certificate has expired or is not valid yet.
	CodeCertificateExpired Code = "certificate-expired"
	// CodeCertificateInvalid: the certificate is not valid for another reason.
	CodeCertificateInvalid Code = "certificate-invalid"
	// CodeNotTLS: the server does not speak TLS.
	CodeNotTLS Code = "not-tls"
	// CodeTLSFailed: the TLS handshake failed in another way.
	CodeTLSFailed Code = "tls-failed"
)

// The answer.
const (
	// CodeNotHTTP: the response is not HTTP.
	CodeNotHTTP Code = "not-http"
	// CodeMalformedHeader: the head of a response is not valid HTTP, in a way that
	// browsers overlook; the report may be complete.
	CodeMalformedHeader Code = "malformed-header"
	// CodeBodyEncoding: the body does not decode as its Content-Encoding says.
	CodeBodyEncoding Code = "body-encoding"
	// CodeBodyCut: the body ended before its announced end.
	CodeBodyCut Code = "body-cut"
	// CodeHTTPStatus: the server answered with an error. A page is an error with any
	// status other than 2xx; an asset is a reason with 429, or 500 or above.
	CodeHTTPStatus Code = "http-status"
	// CodeTooManyRedirects: the server redirected more often than browsers follow.
	CodeTooManyRedirects Code = "too-many-redirects"
	// CodeMoreFailures: more requests failed than are named one by one.
	CodeMoreFailures Code = "more-failures"
)

// What the appliance can say of a page or a list right now.
const (
	// CodeNotInspected: there is no good report of the page since a time; what
	// follows says why.
	CodeNotInspected Code = "not-inspected"
	// CodeHistoryBehind: the newest reports or alarms are not in the history yet.
	CodeHistoryBehind Code = "history-behind"
	// CodeComponentSilent: a component has not published a heartbeat in time.
	CodeComponentSilent Code = "component-silent"
	// CodePressure: the host is short of memory or CPU, and pages that answer wait to be
	// inspected whole.
	CodePressure Code = "pressure"
	// CodeBusAway: libra-web has no connection to the bus.
	CodeBusAway Code = "bus-away"
	// CodeRestoring: the bus has lost some of what it stored, and is being given it
	// again.
	CodeRestoring Code = "restoring"
	// CodeCatchingUp: libra-web has not read everything on the bus yet.
	CodeCatchingUp Code = "catching-up"
	// CodeHistoryUnreadable: libra-web cannot read the history.
	CodeHistoryUnreadable Code = "history-unreadable"
	// CodeNotListed: there are more than libra-web has room for in memory.
	CodeNotListed Code = "not-listed"
	// CodeAssetsUnreadable: the report's totals are known, its assets cannot be
	// read.
	CodeAssetsUnreadable Code = "assets-unreadable"
)

// What libra-web refuses, in problem documents.
const (
	// CodeInvalidParameter: a key, a parameter or a header has a value that it
	// cannot have; the problem's type names it.
	CodeInvalidParameter Code = "invalid-parameter"
	// CodeInvalidBudget: the text is not a LightWallet budget.
	CodeInvalidBudget Code = "invalid-budget"
	// CodeMediaType: the request's Content-Type or charset is not supported.
	CodeMediaType Code = "media-type"
	// CodeTooLarge: the request's body is too long.
	CodeTooLarge Code = "too-large"
	// CodeMethod: the address does not support the request's method.
	CodeMethod Code = "method"
	// CodeNotFound: there is no such page, alarm, silence or address.
	CodeNotFound Code = "not-found"
	// CodeCrossSite: a page of another site sent the request.
	CodeCrossSite Code = "cross-site"
	// CodeWrongHost: the request's Host is not a name of this appliance.
	CodeWrongHost Code = "wrong-host"
	// CodeNotQuarantined: the page to be released is not in quarantine.
	CodeNotQuarantined Code = "not-quarantined"
	// CodeAlarmCleared: the alarm to be acknowledged has cleared.
	CodeAlarmCleared Code = "alarm-cleared"
	// CodeRequestOpen: an earlier request for the page is not answered yet.
	CodeRequestOpen Code = "request-open"
	// CodeNotStored: the bus cannot store it right now.
	CodeNotStored Code = "not-stored"
	// CodeTooManyOpen: the client has as many open requests as it may have.
	CodeTooManyOpen Code = "too-many-open"
	// CodeTooManyWatches: the watches of the client take as much of the bus as they may.
	CodeTooManyWatches Code = "too-many-watches"
	// CodeOverloaded: more requests came at a time than can be worked on.
	CodeOverloaded Code = "overloaded"
	// CodeStoreFull: the bus has no space left for it.
	CodeStoreFull Code = "store-full"
	// CodeDiskFull: the disk is nearly full, and new watches are refused.
	CodeDiskFull Code = "disk-full"
	// CodeNotReadable: neither memory nor what can be read right now has it.
	CodeNotReadable Code = "not-readable"
	// CodeNotifierSilent: libra-notifier does not answer.
	CodeNotifierSilent Code = "notifier-silent"
	// CodeTooManyStreams: too many clients listen to /api/events.
	CodeTooManyStreams Code = "too-many-streams"
)

// Why a report is not judged by a budget.
const (
	// CodeErrorPage: the server answered with an error in the page's place.
	CodeErrorPage Code = "error-page"
	// CodeNoBudget: no budget has a path that matches the page.
	CodeNoBudget Code = "no-budget"
	// CodePartialReport: the report is partial, and its lower bound is within
	// the budget.
	CodePartialReport Code = "partial-report"
)

// The inspection itself.
const (
	// CodeLimit: one of Libra's limits was reached; the text names it.
	CodeLimit Code = "limit"
	// CodePageTimeout: the time for the page was over.
	CodePageTimeout Code = "page-timeout"
	// CodeStopped: Libra stopped the inspection.
	CodeStopped Code = "stopped"
	// CodeLocalResources: this machine has no file, memory, buffer or port left
	// for the connection.
	CodeLocalResources Code = "local-resources"
	// CodeQuarantined: the page ended its inspector several times and is in
	// quarantine.
	CodeQuarantined Code = "quarantined"
	// CodeEnded: an operator ended the inspection.
	CodeEnded Code = "ended"
)
