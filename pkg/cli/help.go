package cli

import (
	"github.com/urfave/cli/v2"
)

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show the help of libra or of a command",
		ArgsUsage: "[COMMAND]",
		Description: `   libra help
   libra help inspect
   libra help alarms ack`,
		Action: func(c *cli.Context) error {
			commands := c.App.Commands
			for _, name := range c.Args().Slice() {
				command := commandNamed(commands, name)
				if command == nil {
					return fail("cannot show help for %q: no such command", name).with("%s", suggestCommand(commands, name))
				}
				commands = command.Subcommands
			}
			if !c.Args().Present() {
				return cli.ShowAppHelp(c)
			}
			return c.App.RunContext(c.Context, append(append([]string{c.App.Name}, c.Args().Slice()...), "--help"))
		},
	}
}
