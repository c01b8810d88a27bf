package cli

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/urfave/cli/v2"
)

func (r *runner) releaseCommand() *cli.Command {
	return &cli.Command{
		Name:      "release",
		Usage:     "release a page from quarantine and inspect it again",
		ArgsUsage: "ID|URL",
		Description: `A page that has crashed its inspector several times is quarantined: it is not
inspected until it is released, and an alarm says why. A released page is
inspected again, and quarantined again if it does the same.

   libra release https://example.org/
   libra page https://example.org/          shows the result

Exit codes: 0 released, 2 not in quarantine, refused, or no appliance.`,
		Flags:  applianceFlags(),
		Action: r.release,
	}
}

func (r *runner) release(c *cli.Context) error {
	given, err := only(c, "page ID or URL")
	if err != nil {
		return err
	}
	id, err := pageID("release", given)
	if err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	id = k.earlier(c.Context, given, id)
	var a accepted
	data, err := k.do(c.Context, fmt.Sprintf("release page %q", given), http.MethodPost, pagePath(id)+"/release", nil, &a)
	if f := (*fault)(nil); errors.As(err, &f) {
		switch f.status {
		case http.StatusNotFound:
			return fail("cannot release page %q: the appliance does not know it", given).with("libra pages lists what it knows")
		case http.StatusConflict:
			return fail("cannot release page %q: it is not in quarantine", given).with("libra submit URL inspects it")
		}
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return r.copyJSON(data)
	}
	r.writeAccepted(k, a, false)
	return nil
}
