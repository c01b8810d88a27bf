package notifier

import (
	"path/filepath"
	"sync"
	"time"

	"libra/pkg/statefile"
)

// shelf keeps a file over kill -9 and over a reboot, and waits for no disk: it
// writes into memory that outlives the process, and the disk has its copy soon
// after. Either may hold the newer one.
type shelf struct {
	quick, slow string // files; "" for none

	mu      sync.Mutex
	next    []byte        // under mu; what the disk is to have
	writing chan struct{} // under mu; closed when the disk has it; nil while nothing is written
}

func (c Config) shelf(name string) *shelf {
	s := &shelf{}
	if c.Runtime != "" {
		s.quick = filepath.Join(c.Runtime, name)
	}
	if c.State != "" {
		s.slow = filepath.Join(c.State, name)
	}
	return s
}

func (s *shelf) files() (files []string) {
	for _, file := range []string{s.quick, s.slow} {
		if file != "" {
			files = append(files, file)
		}
	}
	return files
}

// put returns when data outlives the process.
func (s *shelf) put(data []byte) error {
	if s.quick != "" && replaceFile(s.quick, data) == nil {
		s.copy(data)
		return nil
	}
	if s.slow == "" {
		return nil
	}
	return replaceFile(s.slow, data)
}

// copy has the disk have data, unless something newer comes first.
func (s *shelf) copy(data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.next = data; s.slow == "" || s.writing != nil {
		return
	}
	done := make(chan struct{})
	s.writing = done
	go func() {
		defer close(done)
		for {
			s.mu.Lock()
			data := s.next
			if s.next = nil; data == nil {
				s.writing = nil
				s.mu.Unlock()
				return
			}
			s.mu.Unlock()
			_ = replaceFile(s.slow, data) // a full disk is an alarm of its own; the other copy holds
		}
	}()
}

// flush waits for the disk, a little while.
func (s *shelf) flush() {
	s.mu.Lock()
	writing := s.writing
	s.mu.Unlock()
	if writing == nil {
		return
	}
	select {
	case <-writing:
	case <-time.After(time.Second):
	}
}

// replaceFile writes a file that is there whole or not at all.
func replaceFile(file string, data []byte) error { return statefile.File{Path: file}.Write(data) }
