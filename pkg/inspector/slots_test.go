package inspector

import "testing"

func TestSlotLimit(t *testing.T) {
	used := int64(10)
	r := newSlotLimit(Config{Workers: 10, Memory: 100})
	r.memory = func() int64 { return used }
	for step, want := range []int{8, 9, 10, 10} {
		if got := r.slots(); got != want {
			t.Errorf("after %d pages the limit is %d, want %d", step, got, want)
		}
		r.ended()
	}
	used = 51
	if r.ended(); r.slots() != assuredSlots {
		t.Errorf("while memory is short the limit is %d, want %d", r.slots(), assuredSlots)
	}
	if few := newSlotLimit(Config{Workers: 2}); few.slots() != 2 {
		t.Errorf("the limit is %d, want 2", few.slots())
	}
}
