package css

import (
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
)

// URLs lists what a sheet names without looking at any document: what a page
// that used every rule of it would make a browser in v fetch.
func URLs(s *stylesheet.Sheet, v media.Viewport) []Use {
	l := lister{v: v, base: s.Base}
	l.rules(s.Rules, stylesheet.Barrier{})
	return l.uses
}
