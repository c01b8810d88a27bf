package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// warn is do for what works, and is probably not what was meant.
func (f finding) warn(remedy string) finding { f.Remedy, f.Warning = remedy, true; return f }

// seeNotifications checks where notifications go, and where their links lead.
// settings is libra.env, server the URL of libra-web for programs on this host.
func seeNotifications(settings, server string) []finding {
	folder := filepath.Dir(settings)
	return slices.Concat(seeLinks(settings, server), seeChannels(filepath.Join(folder, "alarms.toml"), filepath.Join(folder, "credentials")))
}

func seeLinks(settings, server string) []finding {
	if base := setting(settings, "LIBRA_BASE_URL"); base != "" {
		return []finding{fine("links", "in notifications lead to %s", base)}
	}
	host, err := os.Hostname()
	if err != nil {
		return []finding{fine("links", "%v", err).do("set LIBRA_BASE_URL in " + settings)}
	}
	return []finding{fine("links", "LIBRA_BASE_URL is not set: those in notifications lead to %s", libra.HostURL(host, server)).
		warn("set it in " + settings + " to the URL at which people reach Libra, then systemctl restart libra-web libra-notifier")}
}

// slackCredential is the file that makes a channel where alarms.toml has none.
const slackCredential = "slack-webhook"

func seeChannels(alarms, credentials string) []finding {
	f, faults := rules.Check(alarms)
	if len(faults) > 0 {
		return nil // the programs name them
	}
	_, err := os.Stat(filepath.Join(credentials, slackCredential))
	hasSlack := err == nil
	var names []string
	for _, c := range f.Channels {
		names = append(names, c.Name)
	}
	switch {
	case len(names) == 0 && hasSlack:
		return []finding{fine("channels", "notifications go to Slack, by the file %s", slackCredential)}
	case len(names) == 0:
		return []finding{fine("channels", "none is configured: nobody is notified of any alarm").
			warn("put the URL of a Slack webhook into " + filepath.Join(credentials, slackCredential) + ", or a [[channel]] into " + alarms)}
	}
	list := []finding{fine("channels", "notifications go to %s", strings.Join(names, ", "))}
	uses := func(c rules.Channel) bool { return c.Credential == slackCredential }
	if hasSlack && !slices.ContainsFunc(f.Channels, uses) {
		list = append(list, fine("channels", "nothing goes to Slack any more: the file %s is used only while %s has no channel", slackCredential, alarms).
			warn(`add [[channel]] name = "slack", type = "slack", credential = "slack-webhook" to it, or remove the file`))
	}
	for _, name := range names {
		reached := func(r route) bool { return slices.Contains(r.Channels, name) }
		if !slices.ContainsFunc(routesOf(f, names, "https://www.example.org/"), reached) && !slices.ContainsFunc(f.Routes, func(r rules.Route) bool { return slices.Contains(r.Channels, name) }) {
			list = append(list, fine("channels", "no route leads to the channel %s: it is never notified", name).
				warn("name it in a [[route]] of "+alarms+"; libra alarms test --routes shows where alarms go"))
		}
	}
	return list
}
