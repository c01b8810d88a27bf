package inspector

import "testing"

func TestRoom(t *testing.T) {
	used := int64(10)
	r := newRoom(Config{Workers: 10, Memory: 100})
	r.memory = func() int64 { return used }
	for step, want := range []int{8, 9, 10, 10} {
		if got := r.slots(); got != want {
			t.Errorf("after %d pages there is room for %d, want %d", step, got, want)
		}
		r.ended()
	}
	used = 51
	if r.ended(); r.slots() != assured {
		t.Errorf("while memory is short there is room for %d, want %d", r.slots(), assured)
	}
	if few := newRoom(Config{Workers: 2}); few.slots() != 2 {
		t.Errorf("room for %d, and 2 were asked for", few.slots())
	}
}
