package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/configs"
	"libra/pkg/component"
	"libra/pkg/libra"
	"libra/pkg/release"
	"libra/pkg/store"
)

func (r *runner) doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "check this machine's Libra: settings, stores, owners, space, clock, last upgrade, units",
		Description: `   libra doctor
   scripts/appliance shell /opt/libra/bin/libra doctor

Prints a line for each check, and a remedy for each fault and each warning. Each
program is run with --check and the settings that are in the file now, so that a
change is tried before anything is restarted. Run it as root on the machine, or
inside the appliance. Exit codes: 0 no fault, or warnings only, 1 a fault, 2 no
Libra is installed here.`,
		Flags: applianceFlags(databaseFlag(),
			&cli.StringFlag{Name: "settings", Value: "/etc/libra/libra.env", Usage: "the settings are in `FILE`"},
			&cli.StringFlag{Name: "programs", Usage: "check the settings with the programs in `FOLDER` (default: where libra is)"},
			&cli.StringFlag{Name: "state", Value: "/var/lib/libra", Usage: "the state of the components is in `FOLDER`"}),
		Action: r.doctor,
	}
}

// finding is what was seen of one thing: fine, or wrong with a remedy.
type finding struct {
	What   string `json:"what"`
	Seen   string `json:"seen"`
	Remedy string `json:"remedy"` // "" where all is well
	// Warning says that it works, and that the remedy is advice.
	Warning bool `json:"warning"`
}

func fine(what, format string, args ...any) finding {
	return finding{What: what, Seen: fmt.Sprintf(format, args...)}
}

func (f finding) do(remedy string) finding { f.Remedy = remedy; return f }

func (r *runner) doctor(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	settings, state := c.String("settings"), c.String("state")
	database, server := c.String("database"), k.server
	// What nobody has said is as this machine's units have it.
	if s := setting(settings, "LIBRA_DATABASE"); s != "" && !c.IsSet("database") {
		database = s
	}
	if s := setting(settings, "LIBRA_SERVER"); s != "" && !c.IsSet("server") && r.getenv("LIBRA_SERVER") == "" {
		server = strings.TrimRight(s, "/")
	}
	bus, space := filepath.Join(state, "bus"), configs.Default("LIBRA_BUS_SPACE")
	if s := setting(settings, "LIBRA_BUS_STORE"); s != "" {
		bus = s
	}
	if s := setting(settings, "LIBRA_BUS_SPACE"); s != "" {
		space = s
	}
	folders := stateFolders(state, bus, database)
	if !exists(settings) && !exists(state) {
		return fail("cannot check this machine: no Libra is installed here (%s and %s do not exist); in the appliance: scripts/appliance shell /opt/libra/bin/libra doctor", settings, state)
	}
	findings := slices.Concat(
		seeSettings(settings), seePrograms(c.Context, c.String("programs"), settings), seeSpace(state, bus, filepath.Dir(database)),
		seeOwners(folders), seeDamaged(folders), seeSecrets(filepath.Join(state, "keys"), filepath.Join(filepath.Dir(settings), "credentials")),
	)
	if setting(settings, "LIBRA_NATS_URL") == "" { // else the bus is another machine's
		findings = append(findings, seeBus(bus, space)...)
	}
	findings = append(findings, seeNotifications(settings, server)...)
	findings = append(findings, slices.Concat(seeHistory(c.Context, database), seeClock(database), seeUpgrade(release.Root), seeUnits(c.Context), seeUp(c.Context, server))...)
	ill := slices.ContainsFunc(findings, func(f finding) bool { return f.Remedy != "" && !f.Warning })
	if c.Bool("json") {
		err = writeJSON(r.out, findings)
	} else {
		r.writeFindings(findings)
	}
	if err == nil && ill {
		return errBad
	}
	return err
}

// findingIndent is what stands before the text of a finding.
const findingIndent = 17

func (r *runner) writeFindings(findings []finding) {
	for _, f := range findings {
		mark := r.screen.paint(green, "ok   ")
		switch {
		case f.Warning:
			mark = r.screen.paint(yellow, "warn ")
		case f.Remedy != "":
			mark = r.screen.paint(red, "WRONG")
		}
		for i, line := range wrap(printable(f.Seen), r.screen.width-findingIndent) {
			if i > 0 {
				mark, f.What = "     ", ""
			}
			fmt.Fprintf(r.out, "%s  %-9s %s\n", mark, f.What, line)
		}
		if f.Remedy != "" {
			for _, line := range wrap(printable(f.Remedy), r.screen.width-findingIndent) {
				fmt.Fprintf(r.out, "       %-9s %s\n", "", line)
			}
		}
	}
}

// exists says whether something is at the path, as far as this user sees.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

func seeKeys(folder string) []finding {
	info, err := os.Stat(folder)
	if err != nil {
		return []finding{fine("keys", "%v", err).do("start libra-keys, which creates them: systemctl restart libra-keys")}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return []finding{fine("keys", "%s can be read by others than root (mode %s)", folder, info.Mode().Perm()).do("chmod 700 " + folder)}
	}
	return []finding{fine("keys", "%s is root's alone", folder)}
}

func seeHistory(ctx context.Context, path string) (list []finding) {
	if isFolder(path) {
		return []finding{fine("history", "%s is a folder", path).do("set LIBRA_DATABASE in /etc/libra/libra.env to a file: " + configs.Default("LIBRA_DATABASE"))}
	}
	reports, err := store.Verify(ctx, path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		list = append(list, fine("history", "%s does not exist", path).do("start libra-recorder, which creates it"))
	case err != nil:
		list = append(list, fine("history", "%v", err).do("start libra-recorder: it sets a damaged file aside and fills a new one; or libra restore"))
	default:
		list = append(list, fine("history", "%s is sound and holds %s", path, libra.Several(reports, "report")))
	}
	return append(list, seeAside(path)...)
}

// seeAside counts what was set aside: databases, and logs whose database was
// deleted, which are of no use.
func seeAside(path string) (list []finding) {
	replaced, _ := filepath.Glob(path + ".replaced-*Z") // the pattern is as good as the path
	if len(replaced) > 0 {
		list = append(list, fine("history", "%s was replaced by libra restore; remove it when it is no longer needed", replaced[len(replaced)-1]))
	}
	aside, _ := filepath.Glob(path + ".damaged-*") // the pattern is as good as the path
	var whole, logs []string
	var size int64
	for _, file := range aside {
		base, isLog := strings.CutSuffix(file, "-wal")
		if !isLog {
			base, isLog = strings.CutSuffix(file, "-shm")
		}
		if !isLog {
			whole = append(whole, file)
		} else if info, err := os.Stat(file); err == nil && !slices.Contains(aside, base) {
			logs, size = append(logs, file), size+info.Size()
		}
	}
	if len(whole) > 0 {
		list = append(list, fine("history", "%s set aside, the last one %s", libra.Plural(len(whole), "damaged file was", "damaged files were"), whole[len(whole)-1]).
			do("keep them elsewhere or remove them; look for what damaged them: disk, memory, copies by hand"))
	}
	if len(logs) > 0 {
		list = append(list, fine("history", "%s left of databases that were deleted or replaced, %s, the last one %s", libra.Plural(len(logs), "file (-wal, -shm) is", "files (-wal, -shm) are"), libra.FormatBytes(size), logs[len(logs)-1]).
			do("nothing can be read from them without their database: rm "+strings.Join(logs, " ")))
	}
	return list
}

// seeClock compares the clock with what was written before now.
func seeClock(path string) []finding {
	now := time.Now()
	if info, err := os.Stat(path); err == nil && info.ModTime().After(now.Add(time.Minute)) {
		return []finding{fine("clock", "it is %s, and the history was written %s later", now.UTC().Format(time.DateTime), libra.FormatDuration(info.ModTime().Sub(now))).
			do("set the clock: timedatectl set-ntp true")}
	}
	if now.Year() < 2026 {
		return []finding{fine("clock", "it is %s", now.UTC().Format(time.DateTime)).do("set the clock: timedatectl set-ntp true")}
	}
	return []finding{fine("clock", "it is %s UTC", now.UTC().Format(time.DateTime))}
}

// isHelper says whether a unit does its work and ends: libra-retry@ and
// libra-started.
func isHelper(unit string) bool {
	return strings.HasPrefix(unit, "libra-retry@") || unit == "libra-started.service"
}

// isOptional says whether a unit is of a component that nobody needs to start.
func isOptional(unit string) bool {
	name, _, _ := strings.Cut(strings.TrimSuffix(unit, ".service"), "@")
	c, _ := component.Find(name)
	return c.Optional
}

func seeUp(ctx context.Context, server string) []finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/up", nil)
	if err != nil {
		return []finding{fine("web", "%v", err).do("give --server a URL such as http://127.0.0.1:8080")}
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return []finding{fine("web", "%v", err).do("start it: systemctl start libra.target, or scripts/appliance up")}
	}
	defer resp.Body.Close()
	var said []string
	for lines := bufio.NewScanner(resp.Body); lines.Scan() && len(said) < 9; {
		said = append(said, lines.Text())
	}
	f := fine("web", "%s says %s", server, strings.Join(said, "; "))
	if resp.StatusCode != http.StatusOK || len(said) > 1 {
		f = f.do("libra status and libra alarms say more")
	}
	return []finding{f}
}
