package cli

import (
	"github.com/urfave/cli/v2"
)

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "show how libra, or one of its commands, is used",
		ArgsUsage: "[COMMAND]",
		Description: `   libra help
   libra help inspect`,
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" {
				return cli.ShowAppHelp(c)
			}
			if commandNamed(c.App.Commands, name) == nil {
				return fail("cannot explain %q: there is no such command", name).with("%s", suggestCommand(c.App.Commands, name))
			}
			return cli.ShowCommandHelp(c, name)
		},
	}
}
