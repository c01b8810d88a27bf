package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every relative link of every document leads to a file of the repository, and
// its anchor to a heading there.
func TestLinks(t *testing.T) {
	documents := markdown(t)
	links := 0
	for name, text := range documents {
		for _, link := range link.FindAllStringSubmatch(withoutCode(text), -1) {
			target, anchor, _ := strings.Cut(link[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			links++
			file := name
			if target != "" {
				file = path.Join(path.Dir(name), target)
			}
			if _, err := os.Stat(filepath.Join("..", file)); err != nil {
				t.Errorf("%s links to %s, which does not exist", name, link[1])
			} else if anchor != "" && !anchors(documents[file])[anchor] {
				t.Errorf("%s links to %s: no heading there has that anchor", name, link[1])
			}
		}
	}
	if links < 100 {
		t.Errorf("only %d relative links", links)
	}
}

// Every "go test -run" of a document names a test that its packages have, by each of
// its alternatives.
func TestCommandsOfDocuments(t *testing.T) {
	commands := 0
	for name, text := range markdown(t) {
		for _, line := range strings.Split(text, "\n") {
			for _, m := range goTest.FindAllStringSubmatch(line, -1) {
				commands++
				pattern := strings.ReplaceAll(strings.Trim(m[1], "'"), `\|`, "|")
				var all string
				for _, folder := range strings.Fields(m[2]) {
					tests := testsIn(t, folder)
					if !matches(t, pattern, tests) {
						t.Errorf("%s: %s: no test of %s matches %s", name, m[0], folder, pattern)
					}
					all += tests + "\n"
				}
				for _, alternative := range strings.Split(pattern, "|") {
					if !matches(t, alternative, all) {
						t.Errorf("%s: %s: no test matches %s", name, m[0], alternative)
					}
				}
			}
		}
	}
	if commands < 20 {
		t.Errorf("only %d commands", commands)
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	inline  = regexp.MustCompile("`[^`\n]*`")
	goTest  = regexp.MustCompile(`go test (?:-[a-z]+(?:=\S+)? (?:appliance |browser )?)*?-run ('[^']+'|\S+)(?: -[a-z]+)*((?: \./[a-z/]+)+)`)
)

// matches says whether a pattern of -run is in one of the lines of tests.
func matches(t *testing.T, pattern, tests string) bool {
	t.Helper()
	re, err := regexp.Compile("(?m)" + pattern)
	if err != nil {
		t.Fatal(err)
	}
	return re.MatchString(tests)
}

// markdown is the text of every document of the repository, by its path in it.
func markdown(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel("..", file)
		if d.IsDir() && (name == "build" || strings.HasPrefix(name, ".") && name != ".") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, ".md") {
			text, err := os.ReadFile(file)
			all[filepath.ToSlash(name)] = string(text)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func withoutCode(text string) string {
	var kept []string
	for _, line := range strings.Split(fence.ReplaceAllString(text, ""), "\n") {
		if !strings.HasPrefix(line, "    ") {
			kept = append(kept, inline.ReplaceAllString(line, ""))
		}
	}
	return strings.Join(kept, "\n")
}

// anchors are those that GitHub gives the headings of a document.
func anchors(text string) map[string]bool {
	all, seen := map[string]bool{}, map[string]int{}
	for _, h := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		words := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(strings.ToLower(h[1]), "$1")
		anchor := strings.ReplaceAll(regexp.MustCompile(`[^\p{L}\p{N}_\- ]`).ReplaceAllString(words, ""), " ", "-")
		if n := seen[anchor]; n > 0 {
			all[fmt.Sprintf("%s-%d", anchor, n)] = true
		}
		seen[anchor]++
		all[anchor] = true
	}
	return all
}

// testsIn are the names of the tests of a package, a line for each.
func testsIn(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", folder, "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no tests: %v", folder, err)
	}
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			names = append(names, f[1])
		}
	}
	return strings.Join(names, "\n")
}
