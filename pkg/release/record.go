package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"libra/pkg/statefile"
)

// Phase is how far an upgrade is.
type Phase string

// Phases of an upgrade. The first two are those of one in progress, or of one that was
// interrupted.
const (
	Upgrading  Phase = "upgrading"
	GoingBack  Phase = "going-back"
	Upgraded   Phase = "upgraded"    // To runs
	RolledBack Phase = "rolled-back" // From runs, because the upgrade failed
	Returned   Phase = "returned"    // To runs, by libra rollback
	Broken     Phase = "broken"      // the upgrade failed, and so did going back, or there was no way back
)

// Interrupted is for how long the record of an upgrade in progress does not change at
// most: after that its process has ended.
const Interrupted = 3 * time.Minute

// Record is what is known of the last upgrade.
type Record struct {
	Phase Phase     `json:"phase"`
	From  string    `json:"from"`
	To    string    `json:"to"`
	Began time.Time `json:"began"`
	At    time.Time `json:"at"` // when it was written
	// Unit failed, and Why; "" while nothing has.
	Unit string `json:"unit,omitempty"`
	Why  string `json:"why,omitempty"`
}

// InProgress says that the upgrade has not ended, or was interrupted.
func (r Record) InProgress() bool { return r.Phase == Upgrading || r.Phase == GoingBack }

// RecordFile is where the record of an installation is.
func RecordFile(root string) string { return filepath.Join(root, "upgrade.json") }

// mostRecord bounds the record, in bytes.
const mostRecord = 64 << 10

func recordFile(path string) statefile.File {
	return statefile.File{Path: path, Mode: 0o644, Max: mostRecord}
}

// WriteRecord stores the record, at the time now.
func (l Layout) WriteRecord(r Record, now time.Time) error {
	r.At = now.UTC()
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return recordFile(RecordFile(l.Root)).Write(data)
}

// ReadRecord reads the record in a file for a process that does not own it; the zero value
// without a file.
func ReadRecord(path string) (r Record, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, err
	}
	defer f.Close()
	if err := json.NewDecoder(io.LimitReader(f, mostRecord)).Decode(&r); err != nil {
		return Record{}, fmt.Errorf("read %q: %w", path, err)
	}
	return r, nil
}

// LastRecord returns the record of the last upgrade; the zero value where there was none.
// A damaged one is set aside.
func (l Layout) LastRecord() (r Record, err error) {
	err = recordFile(RecordFile(l.Root)).Load(func(data []byte) error { return json.Unmarshal(data, &r) })
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*statefile.DamagedError)) {
		return Record{}, nil
	}
	return r, err
}
