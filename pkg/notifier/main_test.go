package notifier_test

import (
	"os"
	"testing"

	"libra/pkg/bus/bustest"
)

func TestMain(m *testing.M) { os.Exit(bustest.Main(m)) }
