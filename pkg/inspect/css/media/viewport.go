// Package media says which media queries hold in a viewport (CSS Media
// Queries Level 4, as Chromium answers them), and evaluates the conditions with
// not, and and or that @media, @supports and @container share. A viewport is a
// window and its device, with no preference set and light colours.
package media

// Viewport is the browser that is imitated.
type Viewport struct {
	Width, Height int     // CSS pixels
	PixelRatio    float64 // device pixels per CSS pixel; 0 means 1
	Mobile        bool    // touch only: no hover, coarse pointer
	Scripting     bool    // whether scripts run
}

// Desktop is the profile of headless Chromium that Libra's figures are
// measured with.
func Desktop() Viewport {
	return Viewport{Width: 1280, Height: 800, PixelRatio: 1, Scripting: true}
}

// Mobile is Lighthouse's emulated phone.
func Mobile() Viewport {
	return Viewport{Width: 412, Height: 823, PixelRatio: 1.75, Mobile: true, Scripting: true}
}

// Ratio is the device pixels per CSS pixel, 1 where none is set.
func (v Viewport) Ratio() float64 {
	if v.PixelRatio <= 0 {
		return 1
	}
	return v.PixelRatio
}
