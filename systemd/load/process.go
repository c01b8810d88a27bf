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

// variable hands the configuration to the generator's process.
const variable = "LIBRA_SUITE_LOAD"

// Main is the generator's process. It returns false at once where this process
// is none. Questions come line by line; the end of them is the end of it.
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
			g.held.Store(true)
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

// Generator is a running one, seen from the suite.
type Generator struct {
	t       testing.TB
	in      io.WriteCloser
	answers *json.Decoder
	wait    func() error
}

// Start starts a generator; it ends with the test.
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

// Stop ends the generator. A second call does nothing.
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

// Mark is what happened since the last Mark.
func (g *Generator) Mark() (s Stats) { g.t.Helper(); g.ask("mark", &s); return s }

// Hold is Mark, and ends submitting; reading goes on.
func (g *Generator) StopSubmitting() (s Stats) { g.t.Helper(); g.ask("hold", &s); return s }

// IDs are all pages so far.
func (g *Generator) IDs() (i IDs) { g.t.Helper(); g.ask("ids", &i); return i }

func (g *Generator) ask(question string, answer any) {
	g.t.Helper()
	if _, err := io.WriteString(g.in, question+"\n"); err != nil {
		g.t.Fatalf("ask the load generator: %v", err)
	}
	if err := g.answers.Decode(answer); err != nil {
		g.t.Fatalf("answer of the load generator: %v", err)
	}
}
