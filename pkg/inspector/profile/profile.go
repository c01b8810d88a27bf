// Package profile says which inspection uses the processor, and where its goroutines are,
// by the labels that [Label] gives them (runtime/pprof). What a goroutine starts has its
// labels, too. Labels cost a few hundred nanoseconds an inspection; nothing else is done
// until somebody asks.
package profile

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/google/pprof/profile"
)

// key is the label's name.
const key = "request"

// Label calls do with the label of a request.
func Label(ctx context.Context, request string, do func(context.Context)) {
	pprof.Do(ctx, pprof.Labels(key, request), do)
}

// CPU profiles this process for a time, 100 samples a second of processor time, and returns
// what each request has used. It ends early with ctx. The error says why there is no
// profile: another one is being made, for example. The runtime takes up to 0.2 s to end one.
func CPU(ctx context.Context, d time.Duration) (map[string]time.Duration, error) {
	var buf bytes.Buffer
	if err := pprof.StartCPUProfile(&buf); err != nil {
		return nil, fmt.Errorf("start CPU profile: %w", err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	pprof.StopCPUProfile()
	p, err := profile.ParseData(buf.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read CPU profile: %w", err)
	}
	used := map[string]time.Duration{}
	for _, s := range p.Sample {
		if labels := s.Label[key]; len(labels) == 1 && len(s.Value) == 2 { // samples, nanoseconds
			used[labels[0]] += time.Duration(s.Value[1])
		}
	}
	return used, nil
}

// Stack is one that goroutines have: "function file:line" of each frame, the innermost
// first; never none.
type Stack struct {
	Count  int
	Frames []string
}

// Stacks returns those of the goroutines of a request: most stacks at most, of so many
// frames each. It stops the process for as long as it takes to copy them, some microseconds.
func Stacks(request string, most, frames int) ([]Stack, error) {
	var buf bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&buf, 0); err != nil {
		return nil, fmt.Errorf("write goroutine profile: %w", err)
	}
	p, err := profile.ParseData(buf.Bytes())
	if err != nil {
		return nil, fmt.Errorf("read goroutine profile: %w", err)
	}
	var stacks []Stack
	for _, s := range p.Sample {
		if labels := s.Label[key]; len(labels) != 1 || labels[0] != request || len(s.Value) == 0 || len(stacks) == most {
			continue
		}
		stack := Stack{Count: int(s.Value[0])}
		for _, at := range s.Location {
			for _, line := range at.Line {
				if len(stack.Frames) < frames && line.Function != nil {
					stack.Frames = append(stack.Frames, line.Function.Name+" "+shortFile(line.Function.Filename)+":"+strconv.FormatInt(line.Line, 10))
				}
			}
		}
		if len(stack.Frames) > 0 {
			stacks = append(stacks, stack)
		}
	}
	return stacks, nil
}

// shortFile is a file's name with the folder that it is in.
func shortFile(path string) string {
	parts := strings.Split(path, "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}
