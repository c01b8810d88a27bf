package libra_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
)

func TestPageID(t *testing.T) {
	a, b := libra.PageID("https://example.org/"), libra.PageID("https://example.org/a")
	if a == b || len(a) != 20 || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		t.Errorf("page ids %q, %q", a, b)
	}
}

func TestSum(t *testing.T) {
	assets := []libra.Asset{
		{Type: libra.Document, HeaderBytes: 1, EncodedBytes: 10, DecodedBytes: 20, Fetch: libra.Fetched},
		{Type: libra.Image, HeaderBytes: 2, EncodedBytes: 100, DecodedBytes: 100, Fetch: libra.Fetched},
		{Type: libra.Image, HeaderBytes: 2, EncodedBytes: 100, DecodedBytes: 100, Fetch: libra.Lazy},
	}
	image := libra.Size{Requests: 1, HeaderBytes: 2, EncodedBytes: 100, DecodedBytes: 100, TransferBytes: 102}
	want := libra.Totals{
		Size:   libra.Size{Requests: 2, HeaderBytes: 3, EncodedBytes: 110, DecodedBytes: 120, TransferBytes: 113},
		ByType: map[libra.ResourceType]libra.Size{libra.Document: {1, 1, 10, 20, 11}, libra.Image: image},
	}
	got := libra.Sum(assets)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Sum (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]libra.ResourceType{libra.Document, libra.Image}, got.Types()); diff != "" {
		t.Error(diff)
	}
}

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1": "127.0.0.1/32", "10.1.2.3/8": "10.0.0.0/8", "::1": "::1/128", "localhost": "", "10.0.0.0/99": ""} {
		got, err := libra.ParsePrefix(in)
		if (want == "") != (err != nil) || err == nil && got.String() != want {
			t.Errorf("ParsePrefix(%q) = %v, %v; want %q", in, got, err, want)
		}
	}
}
