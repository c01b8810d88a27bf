package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// variable is the environment variable with the generator's configuration.
const variable = "LIBRA_SUITE_LOAD"

// Main runs the generator, and returns false at once if this process is not one.
// It reads commands line by line and returns at the end of its input.
func Main(in io.Reader, out io.Writer) bool {
	text, ours := os.LookupEnv(variable)
	if !ours {
		return false
	}
	var cfg Config
	if err := json.Unmarshal([]byte(text), &cfg); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		return true
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	g := newGenerator(cfg)
	done := make(chan struct{})
	go func() { defer close(done); g.run(ctx) }()
	lines, answers := bufio.NewScanner(in), json.NewEncoder(out)
	for lines.Scan() {
		var err error
		switch lines.Text() {
		case "mark":
			err = answers.Encode(g.mark())
		case "hold":
			g.stopped.Store(true)
			err = answers.Encode(g.mark())
		case "ids":
			err = answers.Encode(g.list())
		}
		if err != nil {
			break
		}
	}
	cancel()
	<-done
	return true
}

// Generator controls a running generator.
type Generator struct {
	t       testing.TB
	in      io.WriteCloser
	answers *json.Decoder
	wait    func() error
}

// Start starts a generator, which is stopped at the end of the test.
func Start(t testing.TB, cfg Config) *Generator {
	t.Helper()
	text, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g := &Generator{t: t, in: in, answers: json.NewDecoder(out), wait: cmd.Wait}
	t.Cleanup(g.Stop)
	return g
}

// Stop stops the generator. A second call has no effect.
func (g *Generator) Stop() {
	if g.wait == nil {
		return
	}
	wait := g.wait
	g.wait = nil
	if err := errors.Join(g.in.Close(), wait()); err != nil {
		g.t.Errorf("load generator: %v", err)
	}
}

// Mark returns the stats since the last Mark.
func (g *Generator) Mark() (s Stats) { g.t.Helper(); g.command("mark", &s); return s }

// StopSubmitting is Mark, and stops submitting; reading continues.
func (g *Generator) StopSubmitting() (s Stats) { g.t.Helper(); g.command("hold", &s); return s }

// IDs returns all pages so far.
func (g *Generator) IDs() (i IDs) { g.t.Helper(); g.command("ids", &i); return i }

func (g *Generator) command(name string, result any) {
	g.t.Helper()
	if _, err := io.WriteString(g.in, name+"\n"); err != nil {
		g.t.Fatalf("send a command to the load generator: %v", err)
	}
	if err := g.answers.Decode(result); err != nil {
		g.t.Fatalf("read from the load generator: %v", err)
	}
}
