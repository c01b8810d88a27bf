package cli_test

import (
	"os"
	"testing"
	"time"
)

// Golden files have times in UTC.
func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}
