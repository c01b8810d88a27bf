// Libra weighs web pages: see libra help, or pkg/cli.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"libra/pkg/cli"
)

func main() { os.Exit(run()) }

func run() int {
	asked := []os.Signal{os.Interrupt}
	if len(os.Args) > 1 && (os.Args[1] == "upgrade" || os.Args[1] == "rollback") {
		asked = append(asked, syscall.SIGTERM)         // it goes back
		signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE) // it ends what it has begun, also when nobody watches
	}
	ctx, stop := signal.NotifyContext(context.Background(), asked...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once, whatever hangs
	return cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
}
