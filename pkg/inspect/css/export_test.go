package css

import "libra/pkg/inspect/css/media"

// URLs lists what a sheet names without looking at any document: what a page
// that used every rule of it would make a browser in v fetch.
func URLs(s *Sheet, v media.Viewport) []Use {
	l := lister{v: v, base: s.base}
	l.rules(s.rules, context{})
	return l.uses
}
