package notifier

import (
	"encoding/json"
	"path/filepath"
	"sync"
	"time"

	"libra/pkg/statefile"
)

// mirror is a state file that survives kill -9 and a reboot, and that is written
// without waiting for a disk: write puts it into a folder in memory that
// outlives the process, and a copy on the disk follows. Either may hold the
// newer state at a start.
type mirror struct {
	memory, disk string // files; "" for none

	mu      sync.Mutex
	next    []byte        // under mu; what the disk is to have
	copying chan struct{} // under mu; closed when the disk has it; nil while nothing is copied
}

func (c Config) mirror(name string) *mirror {
	m := &mirror{}
	if c.Runtime != "" {
		m.memory = filepath.Join(c.Runtime, name)
	}
	if c.State != "" {
		m.disk = filepath.Join(c.State, name)
	}
	return m
}

func (m *mirror) files() (files []string) {
	for _, file := range []string{m.memory, m.disk} {
		if file != "" {
			files = append(files, file)
		}
	}
	return files
}

// write returns when data outlives the process: in memory, or where that is full,
// on the disk. One goroutine at a time calls it.
func (m *mirror) write(data []byte) error {
	var err error
	if m.memory != "" {
		if err = memoryFile(m.memory).Write(data); err == nil {
			m.copy(data)
			return nil
		}
	}
	if m.disk == "" {
		return err
	}
	m.awaitCopy() // of older data
	if err := diskFile(m.disk).Write(data); err != nil {
		return err
	}
	if m.memory != "" {
		_ = memoryFile(m.memory).Remove() // outdated; if it stays, the newer serial counts
	}
	return nil
}

// awaitCopy returns when the disk has what copy was called with.
func (m *mirror) awaitCopy() {
	m.mu.Lock()
	copying := m.copying
	m.mu.Unlock()
	if copying != nil {
		<-copying
	}
}

// copy starts to write data to the disk, unless something newer comes first.
func (m *mirror) copy(data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.next = data; m.disk == "" || m.copying != nil {
		return
	}
	done := make(chan struct{})
	m.copying = done
	go func() {
		defer close(done)
		for {
			m.mu.Lock()
			data := m.next
			if m.next = nil; data == nil {
				m.copying = nil
				m.mu.Unlock()
				return
			}
			m.mu.Unlock()
			_ = diskFile(m.disk).Write(data) // a full disk is an alarm of its own; the file in memory holds
		}
	}()
}

// diskTime is how long flush waits for the disk. Channels, policy and consumers flush
// one after the other at a stop, which must fit the unit's TimeoutStopSec=10.
const diskTime = 3 * time.Second

// flush waits for the disk, for diskTime at most.
func (m *mirror) flush() {
	m.mu.Lock()
	copying := m.copying
	m.mu.Unlock()
	if copying == nil {
		return
	}
	select {
	case <-copying:
	case <-time.After(diskTime):
	}
}

// maxFile bounds each state file. The largest is a notification log that is full
// (maxOpenBytes), with a message about all of its alarms.
const maxFile = 64_000_000

func diskFile(path string) statefile.File { return statefile.File{Path: path, Max: maxFile} }

// memoryFile is in a folder in memory, where a sync has nothing to wait for; where
// the folder is on a disk after all, a notification must not wait for that.
func memoryFile(path string) statefile.File {
	return statefile.File{Path: path, Max: maxFile, Unsynced: true}
}

// readFile decodes a JSON file into v. One that cannot be decoded is set aside, see
// package statefile.
func readFile(file string, v any) error {
	return diskFile(file).Load(func(data []byte) error { return json.Unmarshal(data, v) })
}
