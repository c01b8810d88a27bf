package rules

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"libra/pkg/statefile"
)

// ErrNotInForce is for a file that is valid, and not applied.
var ErrNotInForce = errors.New("is not in force")

// ErrDefaults is for an invalid file without an earlier valid one.
var ErrDefaults = errors.New("there is no earlier valid file: the defaults are in force")

// Summary is the summary of an alarm about a fault of Look.
func Summary(fault error) string {
	if errors.Is(fault, ErrNotInForce) {
		return "alarms.toml has changes that are not in force"
	}
	if errors.Is(fault, ErrDefaults) {
		return "alarms.toml is invalid: the defaults are in force"
	}
	return "alarms.toml is invalid: the last valid one stays in force"
}

// errNotInForce says no time, and not what was before: every process that follows the
// file gives the same evidence, however soon it saw what.
var errNotInForce = fmt.Errorf("alarms.toml was changed, is valid, and %w: systemctl reload libra-notifier libra-watchdog applies it", ErrNotInForce)

// forgotten is how long a valid edit may wait for a reload.
const forgotten = 5 * time.Minute

// Keeper follows the file for one process: which text is in force, and the faults
// of the file as it is now. Its methods may be called concurrently.
type Keeper struct {
	// File is alarms.toml.
	File string
	// LastGood is where a copy of the last good one is kept; "" keeps none.
	LastGood string

	mu      sync.Mutex
	force   *string // under mu; the text in force; nil while that is unknown
	refused bool    // under mu; a fault was seen, and nothing applied since
	// defaults says that they are in force, because neither the file nor an earlier
	// one is valid: under mu.
	defaults bool
	edited   time.Time // under mu; since when a valid edit waits to be applied
	good     []byte    // under mu; the last valid one of this process, nil for none
}

// Load reads the file. If it is invalid, fault is why, and f is the last valid one,
// of this process or of the copy at LastGood; without one, f is the defaults and
// fault is an ErrDefaults, too. Without a file, the defaults hold. What Load returns
// is in force from now on.
func (k *Keeper) Load() (f File, fault error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f, data, fault := k.read()
	if fault == nil {
		if data != nil {
			keep(k.LastGood, data)
		}
		k.good = append([]byte{}, data...)
		text := string(data)
		k.force, k.refused, k.edited, k.defaults = &text, false, time.Time{}, false
		return f, nil
	}
	k.force, k.refused = nil, true
	f, old, err := k.earlier()
	if err != nil {
		k.defaults = true
		return Defaults(), k.explain(fault)
	}
	text := string(old)
	k.good, k.force, k.defaults = old, &text, false
	return f, fault
}

// earlier is the last valid file.
func (k *Keeper) earlier() (f File, data []byte, err error) {
	switch data = k.good; {
	case data != nil: // the disk may have refused the copy
	case k.LastGood == "":
		return f, nil, fs.ErrNotExist
	default:
		if data, err = (statefile.File{Path: k.LastGood}).Read(); err != nil {
			return f, nil, err
		}
	}
	f, err = parseRules(k.LastGood, data, true)
	return f, data, err
}

// explain adds to a fault that no earlier file is in force. Callers hold mu.
func (k *Keeper) explain(fault error) error {
	if !k.defaults {
		return fault
	}
	return errors.Join(append(slices.Clone(Faults(fault)), ErrDefaults)...)
}

// read is the file now: nil if it does not exist, which is as good as an empty
// one.
func (k *Keeper) read() (f File, data []byte, fault error) {
	data, err := os.ReadFile(k.File)
	if errors.Is(err, fs.ErrNotExist) {
		return Defaults(), nil, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return f, nil, fmt.Errorf("read rules: %w: chmod a+r it, and a+x its folder; no secret belongs there", err)
	}
	if err != nil {
		return f, nil, fmt.Errorf("read rules: %w", err)
	}
	f, fault = Parse(k.File, data)
	return f, data, fault
}

// Look returns what is wrong with the file as it is now: its faults, and after
// one, ErrNotInForce until Load has applied the file or it is again what is in
// force. A valid edit may wait for some minutes.
func (k *Keeper) Look() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, data, fault := k.read()
	switch {
	case fault != nil:
		k.refused, k.edited = true, time.Time{}
		return k.explain(fault)
	case k.force != nil && *k.force == string(data):
		k.refused, k.edited = false, time.Time{}
		return nil
	case k.refused:
		return errNotInForce
	case k.edited.IsZero():
		k.edited = time.Now()
	case time.Since(k.edited) > forgotten:
		return errNotInForce
	}
	return nil
}

// every is how often the file is looked at: one that is bad, or not in force, is
// an alarm before it matters.
const every = 2 * time.Second

// Follow calls report with what Look returns, now and every two seconds, until
// ctx ends.
func (k *Keeper) Follow(ctx context.Context, report func(fault error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		report(k.Look())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
