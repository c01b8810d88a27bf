package media_test

import (
	"testing"

	"libra/pkg/inspect/css/media"
)

func TestMobileMedia(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]bool{
		"(hover: none) and (pointer: coarse)": true,
		"(max-width: 600px)":                  true,
		"(min-resolution: 1.5dppx)":           true,
		"(orientation: landscape)":            false,
		"(-webkit-min-device-pixel-ratio: 2)": false,
		"(any-hover)":                         false,
	} {
		if got := media.Match(query, media.Mobile()); got != want {
			t.Errorf("%q on the phone is %v, want %v", query, got, want)
		}
	}
}
