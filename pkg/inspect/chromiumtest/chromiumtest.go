// Package chromiumtest has what every test sets that starts Chromium.
package chromiumtest

import (
	"os"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// Options are those of a headless Chromium at path that leaves nothing behind: the
// test removes its profile and its temporary files. More options may follow. Call it
// before the allocator is made, so that the browser has ended when they are removed.
func Options(t testing.TB, path string, more ...chromedp.ExecAllocatorOption) []chromedp.ExecAllocatorOption {
	t.Helper()
	// Not t.TempDir: the path of a socket in it has at most 108 bytes.
	temp, err := os.MkdirTemp("", "chromium")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(temp); err != nil {
			t.Error(err)
		}
	})
	return append(append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()), chromedp.Env("TMPDIR="+temp)), more...)
}
