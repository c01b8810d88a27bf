package bustest

import (
	"flag"
	"testing"
)

// parallel is how many tests of a package Main runs at once.
const parallel = "8"

// Main runs the tests of a package, for its TestMain, more at once than the
// machine has CPUs, because a test with a bus mostly waits: for a second to pass,
// for a connection to be noticed as lost. -parallel of go test wins.
func Main(m *testing.M) (code int) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", parallel); err != nil {
			panic(err) // package testing defines it
		}
	}
	return m.Run()
}
