package fault_test

import (
	"errors"
	"strings"
	"testing"

	"libra/pkg/fault"
)

func TestInject(t *testing.T) {
	for _, page := range []string{"https://example.org/", "https://example.org/libra-fault", "https://example.org/?q=/libra-fault/crash", "::"} {
		if err := fault.Inject(t.Context(), page); err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
	if err := fault.Inject(t.Context(), "https://example.org/a/libra-fault/error"); !errors.Is(err, fault.ErrAsked) {
		t.Errorf("error: %v", err)
	}
	if err := fault.Inject(t.Context(), "https://example.org/libra-fault/flood/x"); err == nil || !strings.Contains(err.Error(), `"flood"`) {
		t.Errorf("an unknown kind: %v", err)
	}
	defer func() {
		if r := recover(); r == nil {
			t.Error("crash does not crash")
		}
	}()
	_ = fault.Inject(t.Context(), "https://example.org/libra-fault/crash")
}
