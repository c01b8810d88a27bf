// Package configs embeds the commented files that are installed in /etc/libra:
// libra.env, the list of all settings, which every unit reads, and alarms.toml.
package configs

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/xrash/smetrics"
)

//go:embed libra.env
var env string

// Alarms is alarms.toml as it is shipped; package rules reads it.
//
//go:embed alarms.toml
var Alarms []byte

// prefix is that of every setting.
const prefix = "LIBRA_"

// Setting is a setting of libra.env.
type Setting struct {
	Env     string // "LIBRA_LISTEN"
	Default string // in force while the line is commented out
}

var line = regexp.MustCompile(`(?m)^#?(LIBRA_[A-Z_]+)=(.*)$`)

// Settings lists all settings.
func Settings() []Setting {
	var all []Setting
	for _, m := range line.FindAllStringSubmatch(env, -1) {
		all = append(all, Setting{m[1], m[2]})
	}
	return all
}

// Default returns the default of a setting; "" for an unknown one.
func Default(name string) string {
	for _, s := range Settings() {
		if s.Env == name {
			return s.Default
		}
	}
	return ""
}

// Suggest returns a remedy for an unknown setting: the known one that is most
// similar, if any.
func Suggest(name string) string {
	best, most := "", 0.75
	for _, s := range Settings() {
		// The common prefix does not count.
		if alike := smetrics.JaroWinkler(strings.TrimPrefix(name, prefix), strings.TrimPrefix(s.Env, prefix), 0.7, 4); alike > most {
			best, most = s.Env, alike
		}
	}
	if best == "" {
		return "libra.env lists them all"
	}
	return fmt.Sprintf("did you mean %s? libra.env lists them all", best)
}
