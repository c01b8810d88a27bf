package markup

import "golang.org/x/net/html"

// ParseQuick is for tests that hold it against html.Parse.
func ParseQuick(text []byte, scripting bool) *html.Node {
	return parseQuick(text, scripting, 0).root
}
