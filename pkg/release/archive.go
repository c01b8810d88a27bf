package release

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// Bounds of a release, in bytes and files. One of today has 100 MB in 30 files.
const (
	mostBytes   = 1 << 30
	mostFiles   = 500
	mostEntries = 2000    // of an archive, folders too
	mostSums    = 1 << 20 // of SHA256SUMS
	mostVersion = 256     // of VERSION
)

// Files that describe a release.
const (
	versionFile = "VERSION"
	sumsFile    = "SHA256SUMS"
)

// ErrInvalid says that an archive or a folder is not a release of Libra.
var ErrInvalid = errors.New("not a release of Libra")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}

// source lists the files of a release: its folder's name, and each path below it.
type source func(each func(top, name string, size int64, content io.Reader) error) error

// open returns the files of an archive (.tar.gz), or of a folder.
func open(file string) (source, error) {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return func(each func(string, string, int64, io.Reader) error) error { return walk(file, each) }, nil
	case info.Mode().IsRegular():
		return func(each func(string, string, int64, io.Reader) error) error { return untar(file, each) }, nil
	}
	return nil, invalid("%s is neither a file nor a folder", file)
}

func untar(file string, each func(top, name string, size int64, content io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return invalid("%s: %v", file, err)
	}
	entries := 0
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return invalid("%s: %v", file, err)
		}
		if entries++; entries > mostEntries {
			return invalid("too many entries in the archive: more than %d", mostEntries)
		}
		name := strings.TrimSuffix(h.Name, "/")
		top, rest, _ := strings.Cut(name, "/")
		switch {
		case h.Typeflag == tar.TypeDir:
			if !filepath.IsLocal(name) {
				return invalid("the archive has a folder %q outside of it", h.Name)
			}
		case h.Typeflag != tar.TypeReg:
			return invalid("%q in the archive is a link or a device: only files and folders are", h.Name)
		default:
			if err := each(top, rest, h.Size, r); err != nil {
				return err
			}
		}
	}
}

func walk(folder string, each func(top, name string, size int64, content io.Reader) error) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return invalid("%q in %s is a link or a device: only files and folders are", name, folder)
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return each("", name, info.Size(), f)
	})
}

// contents is what is known of a release before anything of it is written.
type contents struct {
	version string
	bytes   int64
	sums    map[string]string // by file, of all but SHA256SUMS, as it says
	digest  string            // of SHA256SUMS
}

var fileName = regexp.MustCompile(`^(?:[A-Za-z0-9_@.-]+/){0,3}[A-Za-z0-9_@.-]+$`)

// survey reads all of a release and verifies it: names, sizes, sums. It writes nothing.
func survey(from source) (c contents, err error) {
	found := map[string]string{}
	var top, version, sums string
	err = from(func(folder, name string, size int64, content io.Reader) error {
		switch {
		case !filepath.IsLocal(name) || path.Clean(name) != name || !fileName.MatchString(name):
			return invalid("invalid file name %q: must be a path below the release, without ..", name)
		case found[name] != "":
			return invalid("the file %q is there twice", name)
		case len(found) == 0:
			top = folder
		case folder != top:
			return invalid("%q is not below %q, as the other files are", folder+"/"+name, top)
		}
		if c.bytes += size; size < 0 || c.bytes > mostBytes {
			return invalid("too large: more than %d MB", mostBytes>>20)
		}
		if len(found) == mostFiles {
			return invalid("too many files: more than %d", mostFiles)
		}
		hash := sha256.New()
		var text strings.Builder
		into := io.Writer(hash)
		if name == versionFile && size <= mostVersion || name == sumsFile && size <= mostSums {
			into = io.MultiWriter(hash, &text)
		}
		if _, err := io.Copy(into, content); err != nil {
			return invalid("%s: %v", name, err)
		}
		found[name] = hex.EncodeToString(hash.Sum(nil))
		switch name {
		case versionFile:
			version = strings.TrimSpace(text.String())
		case sumsFile:
			sums, c.digest = text.String(), found[name]
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	if c.sums, err = parseSums(sums); err != nil {
		return c, err
	}
	if err := CheckVersion(version); err != nil {
		return c, invalid("%s: %v", versionFile, err)
	}
	c.version = version
	return c, compare(c.sums, found)
}

// parseSums reads what sha256sum prints.
func parseSums(text string) (map[string]string, error) {
	sums := map[string]string{}
	for line := range strings.Lines(text) {
		sum, name, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
		if _, err := hex.DecodeString(sum); !ok || err != nil || len(sum) != 2*sha256.Size {
			return nil, invalid("%s: invalid line %.80q: must be as sha256sum prints it", sumsFile, line)
		}
		sums[name] = sum
	}
	if len(sums) == 0 {
		return nil, invalid("it has no %s", sumsFile)
	}
	return sums, nil
}

func compare(want, found map[string]string) error {
	for name, sum := range want {
		switch found[name] {
		case "":
			return invalid("the file %q of %s is missing", name, sumsFile)
		case sum:
		default:
			return invalid("the file %q is damaged: its sum is not that of %s", name, sumsFile)
		}
	}
	for name := range found {
		if _, listed := want[name]; !listed && name != sumsFile {
			return invalid("the file %q is not in %s", name, sumsFile)
		}
	}
	return nil
}
