package inspector

import (
	"context"
	"fmt"
	"runtime/metrics"
	"time"
)

// memory is what the Go runtime holds of the system's memory, in bytes.
func memory() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64() - sample[1].Value.Uint64())
}

// guard ends the process when a page has made it take more memory than it was
// given, or keeps a worker busy beyond its deadline: the process is of no use
// then, and the bus gives its pages to others.
func (i *Inspector) guard(ctx context.Context, end context.CancelCauseFunc) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if used := memory(); i.cfg.Memory > 0 && used > i.cfg.Memory {
			why := fmt.Sprintf("memory: %d MB in use, LIBRA_INSPECTOR_MEMORY allows %d MB%s", used>>20, i.cfg.Memory>>20, i.atWork())
			end(fmt.Errorf("%w: %s", errExhausted, why))
			// What eats memory may not look at its context.
			<-time.After(time.Second)
			panic(why)
		}
		if late := i.overdue(); late != "" {
			panic("a worker does not come to an end: " + late) // with its stack, for the journal
		}
	}
}
