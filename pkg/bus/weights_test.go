package bus

import (
	"math/rand/v2"
	"testing"
)

// Whatever comes, and however often it is asked for, the sum after a sequence is never less
// than what came after it, and exact for the newest few hundred; the marks have a bound.
func TestWeights(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		chance := rand.New(rand.NewPCG(seed, 7))
		begin := chance.Uint64N(1000)
		w := newWeights(begin)
		sums := map[uint64]uint64{begin: 0} // by sequence
		newest, sequence, asked := begin, begin, begin
		for range 20_000 {
			sequence += 1 + chance.Uint64N(2)
			size := chance.Uint64N(1000)
			if chance.IntN(20) == 0 {
				size *= 4000
			}
			sums[sequence] = sums[newest] + size
			newest = sequence
			w.add(sequence, size)
			if chance.IntN(100) == 0 {
				w.add(sequence-min(sequence-begin, chance.Uint64N(9)), 1<<40) // delivered again
			}
			if len(w.marks) > mostMarks {
				t.Fatalf("seed %d: %d marks", seed, len(w.marks))
			}
			if chance.IntN(3000) != 0 {
				continue
			}
			asked += chance.Uint64N(sequence - asked + 1)
			at := asked
			for at > begin && sums[at] == 0 {
				at-- // no message has this sequence
			}
			got, from, until := w.after(asked)
			want := sums[newest] - sums[at]
			if exact := w.step == 1; got < want || exact && got != want || from > max(asked, begin) || until != newest {
				t.Fatalf("seed %d: after %d of %d: %d bytes from %d to %d, want %d", seed, asked, newest, got, from, until, want)
			}
		}
		if got, from, until := w.after(newest); got != 0 || from != newest || until != newest {
			t.Errorf("seed %d: after the newest: %d, %d, %d", seed, got, from, until)
		}
		w.add(newest+1, 5)
		if got, _, _ := w.after(newest); got != 5 {
			t.Errorf("seed %d: one more: %d bytes", seed, got)
		}
	}
}
