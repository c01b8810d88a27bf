package libra_test

import (
	"strings"
	"testing"

	"libra/pkg/libra"
)

func TestParsePathPrefix(t *testing.T) {
	for path, want := range map[string]string{
		"": "", "/": "", "/libra": "/libra", "/libra/": "/libra", "/tools/libra-2": "/tools/libra-2", "/~ann/l_1.x": "/~ann/l_1.x",
		"/" + strings.Repeat("a", 199): "/" + strings.Repeat("a", 199),
	} {
		if got, plain := libra.ParsePathPrefix(path); got != want || !plain {
			t.Errorf("ParsePathPrefix(%q) = %q, %t, want %q", path, got, plain, want)
		}
	}
	for _, path := range []string{
		"libra", "//", "//evil.example", "/libra//x", "/libra//", "/../x", "/.", "/libra/..", `/"><script>`, "/a b", "/a\r\nX: y", "/a;b", "/a,b", "/a%2fb", "/a?b", "/a#b",
		"https://evil.example/", `/\evil.example`, "/é", "/{{.}}", "/" + strings.Repeat("a", 200),
	} {
		if got, plain := libra.ParsePathPrefix(path); got != "" || plain {
			t.Errorf("ParsePathPrefix(%.40q) = %q, %t, want it refused", path, got, plain)
		}
	}
}
