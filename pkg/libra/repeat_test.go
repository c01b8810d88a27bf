package libra_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

func TestSecondVisit(t *testing.T) {
	asset := func(c *libra.Cache) libra.Asset {
		return libra.Asset{Type: libra.Image, Status: 200, HeaderBytes: 10, EncodedBytes: 100, DecodedBytes: 100, FramingBytes: 1, Fetch: libra.Fetched, Cache: c}
	}
	full := libra.Size{Requests: 1, HeaderBytes: 10, EncodedBytes: 100, DecodedBytes: 100, TransferBytes: 111}
	asked := libra.Size{Requests: 1, HeaderBytes: 10, TransferBytes: 10}
	for name, c := range map[string]struct {
		cache *libra.Cache
		want  libra.Size
	}{
		"nothing said":           {nil, full},
		"fresh":                  {&libra.Cache{FreshS: 3600}, libra.Size{}},
		"fresh for too short":    {&libra.Cache{FreshS: 60}, full},
		"stale with an ETag":     {&libra.Cache{ETag: "x"}, asked},
		"stale with a date":      {&libra.Cache{LastModified: "x", FreshS: 1}, asked},
		"stale, 304 as measured": {&libra.Cache{ETag: "x", NotModifiedBytes: 7}, libra.Size{Requests: 1, HeaderBytes: 7, TransferBytes: 7}},
		"not to be stored":       {&libra.Cache{ETag: "x", FreshS: 3600, NoStore: true}, full},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, libra.SecondVisit([]libra.Asset{asset(c.cache)}).Size); diff != "" {
				t.Error(diff)
			}
		})
	}
	lazy := asset(nil)
	lazy.Fetch = libra.Lazy
	if got := libra.SecondVisit([]libra.Asset{lazy}); got.Requests != 0 {
		t.Errorf("a lazy image counts: %+v", got)
	}
}
