// Package configs holds what an operator finds in /etc/libra, commented: the one
// list of Libra's settings, libra.env, which every unit reads, and alarms.toml.
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

// prefix begins every setting's name.
const prefix = "LIBRA_"

// Setting is one line of libra.env.
type Setting struct {
	Env     string // "LIBRA_LISTEN"
	Default string // what holds when the line stays commented
}

var line = regexp.MustCompile(`(?m)^#?(LIBRA_[A-Z_]+)=(.*)$`)

// Settings lists every setting there is.
func Settings() []Setting {
	var all []Setting
	for _, m := range line.FindAllStringSubmatch(env, -1) {
		all = append(all, Setting{m[1], m[2]})
	}
	return all
}

// Default is what holds when nothing is said; "" for what is no setting.
func Default(name string) string {
	for _, s := range Settings() {
		if s.Env == name {
			return s.Default
		}
	}
	return ""
}

// Suggest says what may have been meant by a name that is no setting.
func Suggest(name string) string {
	best, most := "", 0.75
	for _, s := range Settings() {
		// What all have in common makes none more likely.
		if alike := smetrics.JaroWinkler(strings.TrimPrefix(name, prefix), strings.TrimPrefix(s.Env, prefix), 0.7, 4); alike > most {
			best, most = s.Env, alike
		}
	}
	if best == "" {
		return "libra.env lists them all"
	}
	return fmt.Sprintf("did you mean %s? libra.env lists them all", best)
}
