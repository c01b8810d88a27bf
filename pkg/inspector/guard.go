package inspector

import (
	"context"
	"fmt"
	"runtime/metrics"
	"time"

	"libra/pkg/libra"
)

// memory is what the Go runtime holds of the system's memory, in bytes.
func memory() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64() - sample[1].Value.Uint64())
}

// guard ends the process when a page has made it exceed its memory, or keeps a
// worker busy beyond its deadline: the bus then redelivers its requests to other
// inspectors.
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
			size, limit := libra.FormatBytesBoth(used, i.cfg.Memory)
			why := fmt.Sprintf("memory: %s in use, LIBRA_INSPECTOR_MEMORY allows %s%s", size, limit, i.pagesInProgress())
			end(fmt.Errorf("%w: %s", errExhausted, why))
			// What allocates memory may ignore its context.
			<-time.After(time.Second)
			panic(why)
		}
		if late := i.overdue(); late != "" {
			panic("a worker exceeds its deadline: " + late) // with its stack, for the journal
		}
	}
}
