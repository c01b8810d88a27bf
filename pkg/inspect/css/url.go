package css

import (
	"strings"

	"libra/pkg/inspect/markup"
)

// resolve makes ref absolute against base. ok is false for what is no request:
// nothing, a fragment alone (it names the document's own elements), and any
// address that is not http or https.
func resolve(base, ref string) (abs string, ok bool) {
	ref = strings.TrimLeft(ref, " \t\n\r\f")
	if ref == "" || ref[0] == '#' {
		return "", false
	}
	return markup.Resolve(base, ref)
}
