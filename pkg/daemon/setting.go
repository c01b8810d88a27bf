package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/configs"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// Setting is one thing an operator may change: a flag, and the environment
// variable LIBRA_ with the flag's name in capitals.
type Setting struct {
	Name    string // of the flag: "bus-store"
	Default string // "" for none
	Usage   string
	// FlagOnly settings belong in the unit file: no environment variable.
	FlagOnly bool
	// Vital settings are those that the program cannot go on without: an invalid
	// one ends the start with exit code 2. Of any other, Instead is in effect, or
	// the default, and the fault is a warning and one of Process.Tolerated.
	Vital bool
	// Instead is in effect in place of an invalid value; "" is the default.
	Instead string
	// Partly says that Into puts in effect what it can of an invalid value, instead
	// of the default. Effect says what that is.
	Partly bool
	// Effect is what is in effect in place of an invalid value, for people; "" is
	// Instead, or the default.
	Effect string
	// Into parses the text into the program's configuration; its error says what
	// is allowed: see Text, Duration and the others.
	Into func(string) error
}

// Env is the setting's environment variable, "" for none.
func (s Setting) Env() string {
	if s.FlagOnly {
		return ""
	}
	return "LIBRA_" + strings.ToUpper(strings.ReplaceAll(s.Name, "-", "_"))
}

// value adapts a Setting to flag.Value. Faults are collected, not returned, so
// that all of them are reported at once.
type value struct {
	Setting
	text    string
	given   bool // by a flag or the environment, and in effect
	invalid bool // what was given, and is not Vital
	faults  *[]error
}

func (v *value) String() string { return v.text }

func (v *value) Set(s string) error {
	v.text, v.given = s, true
	for _, err := range each(v.Into(s)) {
		fault := fmt.Errorf("invalid %s %q: %w", v.called(), shown(s), err)
		if !v.Vital && !Transient(err) {
			v.given, v.invalid = v.Partly, true
			fault = Tolerable(&settingFault{v.shortName(), v.effect(), fmt.Errorf("%w; in effect: %s", fault, v.effect())})
		}
		*v.faults = append(*v.faults, fault)
	}
	return nil
}

// shown is a value as faults show it, which reach the journal, alarms and
// notifications: without what may be a password, and not of any length.
func shown(value string) string {
	if at := strings.LastIndexByte(value, '@'); at >= 0 {
		scheme, _, found := strings.Cut(value[:at], "//")
		if !found {
			scheme = ""
		} else {
			scheme += "//"
		}
		value = scheme + "***" + value[at:]
	}
	return event.Cut(value, mostShown)
}

// mostShown bounds the value that a fault shows, in bytes.
const mostShown = 200

// effect is what is in effect in place of an invalid value.
func (v *value) effect() string { return cmp.Or(v.Effect, v.Instead, v.Default, "nothing") }

// each is every fault that one error joins.
func each(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// fill applies the default of a setting that was not given.
func (v *value) fill() {
	text := v.Default
	if v.invalid {
		text = cmp.Or(v.Instead, text)
	}
	if v.given || text == "" {
		return
	}
	if err := v.Into(text); err != nil {
		*v.faults = append(*v.faults, fmt.Errorf("invalid default of %s %q: %w", v.called(), text, err))
	}
}

// called is the setting's name as the operator who corrects it knows it.
func (v *value) called() string {
	if v.FlagOnly {
		return v.shortName()
	}
	return v.Env() + " (or --" + v.Name + ")"
}

// shortName is the setting's name where there is little room.
func (v *value) shortName() string { return cmp.Or(v.Env(), "--"+v.Name) }

func values(settings []Setting, faults *[]error) (list []*value) {
	for _, s := range settings {
		list = append(list, &value{Setting: s, text: s.Default, faults: faults})
	}
	return list
}

// unknownSettings finds variables that look like ours and are not: a typing
// mistake must not pass for a default. They keep no program from starting.
func unknownSettings(environ []string) (faults []error) {
	known := configs.Settings()
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "LIBRA_") || slices.ContainsFunc(known, func(s configs.Setting) bool { return s.Env == name }) {
			continue
		}
		faults = append(faults, Tolerable(&settingFault{name, "", fmt.Errorf("unknown setting %s: %s", event.Cut(name, mostShown), configs.Suggest(name))}))
	}
	return faults
}

// Text takes any text.
func Text(p *string) func(string) error {
	return func(s string) error { *p = s; return nil }
}

// Switch takes yes or no.
func Switch(p *bool) func(string) error {
	return func(s string) error {
		switch strings.ToLower(s) {
		case "yes", "true", "1", "on":
			*p = true
		case "no", "false", "0", "off":
			*p = false
		default:
			return errors.New("must be yes or no")
		}
		return nil
	}
}

// Count takes a whole number from least to most.
func Count(p *int, least, most int) func(string) error {
	return func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		*p = n
		return nil
	}
}

// Duration takes a time such as 1.5s, from least to most.
func Duration(p *time.Duration, least, most time.Duration) func(string) error {
	return func(s string) error {
		d, err := time.ParseDuration(s)
		if err != nil || d < least || d > most {
			return fmt.Errorf("must be a time from %s to %s, such as 1.5s or 2m", least, most)
		}
		*p = d
		return nil
	}
}

// Bytes takes a size that libra.ParseBytes reads, at least least.
func Bytes(p *int64, least int64) func(string) error {
	return func(s string) error {
		n, err := libra.ParseBytes(s, least)
		if err == nil {
			*p = n
		}
		return err
	}
}

// Address takes host:port.
func Address(p *string) func(string) error {
	return func(s string) error {
		host, port, err := net.SplitHostPort(s)
		n, perr := strconv.Atoi(port)
		if err != nil || perr != nil || n < 0 || n > 65535 || strings.ContainsAny(host, " /") {
			return errors.New("must be an address such as 127.0.0.1:8080")
		}
		*p = s
		return nil
	}
}

// Prefixes takes a comma-separated list of IP prefixes; one address is a
// prefix of its own length. Of a list with invalid ones it keeps the valid ones.
func Prefixes(p *[]netip.Prefix) func(string) error {
	return func(s string) error {
		var list []netip.Prefix
		var faults []error
		for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' }) {
			prefix, err := libra.ParsePrefix(f)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			list = append(list, prefix)
		}
		*p = list
		return errors.Join(faults...)
	}
}

// Folder takes a directory that this process can write to. A transient fault,
// such as a full disk, is Tolerable.
func Folder(p *string) func(string) error {
	return func(s string) error {
		f, err := os.CreateTemp(s, ".libra-check-*")
		if Transient(err) {
			*p = s
			return Tolerable(fmt.Errorf("cannot write there (%w): look at its disk with df, df -i, mount and dmesg", bare(err)))
		}
		if err != nil {
			return fmt.Errorf("cannot write there (%w): create the folder, or give it to this unit's user with chown", bare(err))
		}
		f.Close()
		*p = s
		return os.Remove(f.Name())
	}
}

// File takes a file that this process can read.
func File(p *string) func(string) error {
	return func(s string) error {
		f, err := os.Open(s)
		if err != nil {
			return fmt.Errorf("cannot read it (%w): name a file that this unit's user may read", bare(err))
		}
		defer f.Close()
		*p = s
		return noFolder(s)
	}
}

// Path takes the path of a file that another process makes: it need not be
// there yet.
func Path(p *string) func(string) error {
	return func(s string) error {
		*p = s
		return noFolder(s)
	}
}

func noFolder(s string) error {
	if info, err := os.Stat(s); err == nil && info.IsDir() {
		return errors.New("must be a file, not a folder")
	}
	return nil
}

// bare takes the path off an error that stands beside it already.
func bare(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
