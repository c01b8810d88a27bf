package markup

import (
	"strings"

	"golang.org/x/net/html"
)

// javaScript holds the JavaScript MIME types
// (https://mimesniff.spec.whatwg.org/#javascript-mime-type).
var javaScript = map[string]bool{
	"application/ecmascript": true, "application/javascript": true, "application/x-ecmascript": true, "application/x-javascript": true,
	"text/ecmascript": true, "text/javascript": true, "text/javascript1.0": true, "text/javascript1.1": true, "text/javascript1.2": true,
	"text/javascript1.3": true, "text/javascript1.4": true, "text/javascript1.5": true, "text/jscript": true, "text/livescript": true,
	"text/x-ecmascript": true, "text/x-javascript": true,
}

// The kinds of <script>.
type scriptType int

const (
	dataBlock scriptType = iota // not executed
	classicScript
	moduleScript
	importMap
	speculationRules
)

// scriptKind is https://html.spec.whatwg.org/#prepare-the-script-element, steps
// 8 to 13, as Chromium does them: white space around a MIME type is removed,
// and around the other names it is not.
func scriptKind(n *html.Node) scriptType {
	value, given := lookup(n, "type")
	if !given {
		language := attr(n, "language")
		if language == "" || javaScript["text/"+strings.ToLower(language)] {
			return classicScript
		}
		return dataBlock
	}
	switch strings.ToLower(value) {
	case "":
		return classicScript
	case "module":
		return moduleScript
	case "importmap":
		return importMap
	case "speculationrules":
		return speculationRules
	}
	if javaScript[strings.ToLower(strings.Trim(value, space))] {
		return classicScript
	}
	return dataBlock
}

// forWindow says whether a classic script is executed in spite of its for and
// event attributes (the same section, step 21).
func forWindow(n *html.Node) bool {
	target, hasFor := lookup(n, "for")
	event, hasEvent := lookup(n, "event")
	if !hasFor || !hasEvent {
		return true
	}
	event = strings.ToLower(strings.Trim(event, space))
	return strings.EqualFold(strings.Trim(target, space), "window") && (event == "onload" || event == "onload()")
}

// RunsAsScript says whether a browser executes an answer of this media type as
// a script; nosniff is X-Content-Type-Options. A module needs a JavaScript MIME
// type (https://html.spec.whatwg.org/#fetch-a-single-module-script). For a
// classic script it is the other way round without nosniff: some types are
// refused (https://fetch.spec.whatwg.org/#should-response-to-request-be-blocked-due-to-mime-type?,
// https://fetch.spec.whatwg.org/#should-response-to-request-be-blocked-due-to-nosniff?).
func RunsAsScript(mediaType string, module, nosniff bool) bool {
	if module || nosniff {
		return javaScript[mediaType]
	}
	kind, _, typed := strings.Cut(mediaType, "/")
	return !typed || kind != "image" && kind != "audio" && kind != "video" && mediaType != "text/csv"
}

// IsStyleSheet says whether a browser applies an answer of this media type as a
// style sheet. lax means that its document is in quirks mode and of the same
// origin (https://html.spec.whatwg.org/#link-type-stylesheet).
func IsStyleSheet(mediaType string, lax, nosniff bool) bool {
	switch {
	case nosniff:
		return mediaType == "text/css"
	case lax:
		return true
	}
	return isNoType(mediaType) || mediaType == "text/css" || mediaType == "application/x-unknown-content-type"
}
