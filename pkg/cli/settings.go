package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"libra/configs"
	"libra/pkg/component"
	"libra/pkg/libra"
)

// seeSettings finds names in the file that are no settings, and lines that systemd
// ignores, such as "export NAME=VALUE". It shows no value, which may be a secret.
func seeSettings(file string) (list []finding) {
	lines, err := readEnvironmentFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return []finding{fine("settings", "%s does not exist: every default holds", file)}
	}
	if err != nil {
		return []finding{fine("settings", "%v", err).do("run it as root")}
	}
	given := map[string]bool{}
	for _, l := range lines {
		switch {
		case l.ignored != "":
			list = append(list, fine("settings", "systemd ignores line %d of %s: %s", l.number, file, l.ignored).do(l.remedy))
		case noSetting(l.name):
			list = append(list, fine("settings", "unknown setting %s in %s", l.name, file).do(configs.Suggest(l.name)))
		case isSetting(l.name):
			given[l.name] = true
		}
	}
	return append(list, fine("settings", "%s sets %d of %d", file, len(given), len(configs.Settings())))
}

// noSetting reports whether a name looks like a setting of Libra and is not.
func noSetting(name string) bool { return strings.HasPrefix(name, "LIBRA_") && !isSetting(name) }

func isSetting(name string) bool {
	return slices.ContainsFunc(configs.Settings(), func(s configs.Setting) bool { return s.Env == name })
}

// allSettings are those of the file and of appliance.env beside it, which
// scripts/appliance writes and every unit of the appliance reads before it.
func allSettings(file string) (list []assignment) {
	for _, f := range []string{filepath.Join(filepath.Dir(file), "appliance.env"), file} {
		lines, _ := readEnvironmentFile(f) // seeSettings reports what is wrong with it
		list = append(list, lines...)
	}
	return slices.DeleteFunc(list, func(l assignment) bool { return l.ignored != "" })
}

// setting is what the files give a setting; "" where they give none.
func setting(file, name string) (value string) {
	for _, l := range allSettings(file) {
		if l.name == name {
			value = l.value // the last one counts
		}
	}
	return value
}

// seePrograms asks every program that is in the folder whether it could start
// with the settings of the file. A fault that several report is listed once.
func seePrograms(ctx context.Context, folder, file string) (list []finding) {
	if folder == "" {
		self, err := os.Executable()
		if err != nil {
			return []finding{fine("programs", "%v", err).do("give --programs the folder that they are in")}
		}
		folder = filepath.Dir(self)
	}
	given := givenSettings(file)
	asked, reported := 0, map[string]bool{}
	for _, c := range component.All() {
		program := filepath.Join(folder, c.Name)
		if _, err := os.Stat(program); err != nil {
			continue
		}
		asked++
		faults, problem := checkFaults(ctx, c, program, given)
		if problem != nil {
			list = append(list, *problem)
		}
		for _, fault := range faults {
			if !reported[fault] {
				reported[fault] = true
				list = append(list, fine("programs", "%s: %s", c.Name, fault).do("correct it before anything is restarted or reloaded"))
			}
		}
	}
	if asked == 0 || len(list) > 0 {
		return list
	}
	return []finding{fine("programs", "%s these settings", libra.Plural(asked, "program accepts", "programs accept"))}
}

// givenSettings are those of the file, NAME=VALUE; what is wrong with the file itself stands
// among the findings on it.
func givenSettings(file string) (given []string) {
	for _, l := range allSettings(file) {
		if !noSetting(l.name) {
			given = append(given, l.name+"="+l.value)
		}
	}
	return given
}

// checkFaults are the faults that a program finds in its configuration. A program
// of another version may not know --check --json: that is a problem.
func checkFaults(ctx context.Context, c component.Component, program string, settings []string) (faults []string, problem *finding) {
	result, problem := checkOf(ctx, c, program, settings)
	for _, fault := range result.Faults { // also of one that starts in spite of them
		text := fault.Text
		switch {
		case fault.ReloadOnly:
			text = "cannot reload: " + text
		case !fault.Tolerable:
			text = "cannot start: " + text
		}
		faults = append(faults, text)
	}
	return faults, problem
}

// checkOf is what a program prints of its configuration.
func checkOf(ctx context.Context, c component.Component, program string, settings []string) (result component.Check, problem *finding) {
	stdout, stderr, err := check(ctx, program, settings, unitUser(c))
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) { // it lies where that user cannot reach it
		stdout, stderr, err = check(ctx, program, settings, nil)
	}
	if json.Unmarshal(stdout, &result) != nil || result.Component != c.Name {
		return component.Check{}, noResult(program, stderr, err)
	}
	return result, nil
}

// noResult is the finding that a program has not printed what it was asked for.
func noResult(program string, stderr []byte, err error) *finding {
	seen := program + " --check --json printed no result"
	if err != nil {
		seen += fmt.Sprintf(" (%v)", err)
	}
	if text := strings.Join(strings.Fields(string(stderr)), " "); text != "" {
		seen += ": " + text
	}
	f := fine("programs", "%s", seen).do(fmt.Sprintf("compare %s --version with libra --version (%s): a program of an earlier version has no --json; install all programs of one version", program, Version))
	return &f
}

// checkTime is how long a program's --check may take.
const checkTime = 10 * time.Second

// check runs a program's --check as the user of its unit.
func check(ctx context.Context, program string, settings []string, as *syscall.Credential) (stdout, stderr []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--check", "--json")
	// Only what a unit would get: this shell's own settings are not its own.
	own := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "LIBRA_") || strings.HasPrefix(pair, "JOURNAL_STREAM=")
	})
	cmd.Env = append(own, settings...)
	if as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// unitUser is the user that a component's --check runs as, because root may read
// and write everything; nil is the user that runs libra.
func unitUser(c component.Component) *syscall.Credential {
	if os.Geteuid() != 0 || c.CheckAsRoot {
		return nil
	}
	u, err := user.Lookup(c.Name)
	if err != nil {
		return nil
	}
	uid, uerr := strconv.ParseUint(u.Uid, 10, 32)
	gid, gerr := strconv.ParseUint(u.Gid, 10, 32)
	if uerr != nil || gerr != nil {
		return nil
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
