package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"syscall"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// owned is a folder that one of Libra's users keeps things in, as its unit's
// StateDirectory= and User= have it.
type owned struct {
	folder, user string
	group        string // that must be able to read it; "" for none
}

// stateFolders are those of the components, given where the settings put the
// bus's store and the database.
func stateFolders(state, bus, database string) (folders []owned) {
	moved := map[string]string{component.Bus: bus, component.Recorder: filepath.Dir(database)}
	for _, c := range component.All() {
		if c.State == "" {
			continue
		}
		if c.Name == component.Recorder && isFolder(database) {
			continue // its folder may be anybody's: the setting is wrong, and its program says so
		}
		folder := moved[c.Name]
		if folder == "" {
			folder = filepath.Join(state, c.State)
		}
		folders = append(folders, owned{folder: folder, user: c.Name, group: c.Readers})
	}
	return folders
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// seeSpace looks at every file system that something is kept on, once.
func seeSpace(folders ...string) (list []finding) {
	seen := map[uint64]bool{}
	for i, folder := range folders {
		info, err := os.Stat(folder)
		if errors.Is(err, fs.ErrNotExist) && i > 0 {
			continue // made at the first start; programs say whether it can be
		}
		var s syscall.Statfs_t
		if err == nil {
			err = syscall.Statfs(folder, &s)
		}
		if err != nil {
			list = append(list, fine("space", "%v", err).do("give --state the folder that Libra keeps things in, or start it once: systemctl start libra.target"))
			continue
		}
		if device := inode(info).Dev; !seen[device] {
			seen[device] = true
			list = append(list, spaceOf(folder, s))
		}
	}
	return list
}

// inode is what Linux knows of a file.
func inode(info fs.FileInfo) *syscall.Stat_t {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat
	}
	return &syscall.Stat_t{}
}

// readOnly is statfs(2)'s ST_RDONLY.
const readOnly = 1

// spaceOf judges one file system. Some count no inodes.
func spaceOf(folder string, s syscall.Statfs_t) finding {
	free, all := int64(s.Bavail)*s.Bsize, int64(s.Blocks)*s.Bsize
	f := fine("space", "%s of %s are free for %s", libra.FormatBytes(free), libra.FormatBytes(all), folder)
	if s.Files > 0 {
		f.Seen += fmt.Sprintf(", and %d of %d inodes", s.Ffree, s.Files)
	}
	switch {
	case s.Flags&readOnly != 0:
		f.Seen += ", which is read-only"
		return f.do("dmesg shows why, unless it was mounted so; mount -o remount,rw makes it writable")
	case free < all/10:
		return f.do("free space: below 10 % the stores soon reach their limits")
	case s.Files > 0 && s.Ffree < s.Files/10:
		return f.do("remove files: below 10 % of the inodes, files soon cannot be created; df -i shows the use, du --inodes where")
	}
	return f
}

// seeOwners compares owners and modes with the users of the units. Folders that
// are not there yet are made by systemd.
func seeOwners(folders []owned) (list []finding) {
	looked := 0
	for _, o := range folders {
		info, err := os.Stat(o.folder)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			list = append(list, fine("owners", "%v", err).do("run it as root"))
			continue
		}
		looked++
		if u, err := user.Lookup(o.user); err != nil {
			list = append(list, fine("owners", "%v, which owns %s", err, o.folder).do("run systemd-sysusers, which creates it"))
		} else if f := ownerOf(o, u.Uid, info.Mode()); f.Remedy != "" {
			list = append(list, f)
		}
	}
	if looked > 0 && len(list) == 0 {
		list = append(list, fine("owners", "%s to those who write there", libra.Plural(looked, "folder belongs", "folders belong")))
	}
	return list
}

// seeDamaged lists the state files that a component could not use and set aside;
// see package statefile.
func seeDamaged(folders []owned) (list []finding) {
	for _, o := range folders {
		files, _ := filepath.Glob(filepath.Join(o.folder, "*.damaged")) // the pattern is as good as the folder
		for _, file := range files {
			list = append(list, fine("state", "%s could not be read and was set aside; %s started without it", file, o.user).
				do("look for the cause (disk, memory, copies by hand), then remove the file: rm "+file))
		}
	}
	return list
}

// ownerOf looks at a folder and what is in it.
func ownerOf(o owned, uid string, mode fs.FileMode) finding {
	chown := fmt.Sprintf("chown -R %s %s", o.user, o.folder)
	if o.group != "" {
		chown = fmt.Sprintf("chown -R %s:%s %s", o.user, o.group, o.folder)
	}
	if foreign, err := foreignTo(uid, o.folder); err != nil {
		return fine("owners", "%v", err).do("run it as root")
	} else if foreign != "" {
		return fine("owners", "%s does not belong to %s, which writes there", foreign, o.user).do(chown)
	}
	if mode.Perm()&0o700 != 0o700 || mode.Perm()&0o002 != 0 {
		return fine("owners", "%s has mode %s: only its owner may write there", o.folder, mode.Perm()).do("chmod 750 " + o.folder)
	}
	if o.group == "" {
		return finding{}
	}
	g, err := user.LookupGroup(o.group)
	if err != nil {
		return fine("owners", "%v, which reads %s", err, o.folder).do("run systemd-sysusers, which creates it")
	}
	if info, err := os.Stat(o.folder); err == nil && (fmt.Sprint(inode(info).Gid) != g.Gid || mode.Perm()&0o050 != 0o050) {
		return fine("owners", "%s cannot be read by the group %s", o.folder, o.group).do(chown + " && chmod 750 " + o.folder)
	}
	return finding{}
}

// foreignTo is the first path in folder that belongs to another user; "" for
// none. Files come and go meanwhile.
func foreignTo(uid, folder string) (foreign string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				if fmt.Sprint(inode(info).Uid) != uid {
					foreign = path
					return fs.SkipAll
				}
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return foreign, err
}

// seeSecrets finds keys and credentials that others than their owner can read.
func seeSecrets(keys, credentials string) (list []finding) {
	list = seeKeys(keys)
	open := func(what, pattern string) (files int) {
		paths, _ := filepath.Glob(pattern) // the pattern is well-formed
		for _, file := range paths {
			info, err := os.Stat(file)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			files++
			if info.Mode().Perm()&0o077 != 0 {
				list = append(list, fine(what, "%s can be read by others than its owner", file).do("chmod 600 "+file+"; consider replacing the secret"))
			}
			folder := filepath.Dir(file)
			if in, err := os.Stat(folder); err == nil && inode(in).Uid != inode(info).Uid {
				list = append(list, fine(what, "%s belongs to another user than its folder, who can read it", file).do("chown --reference="+folder+" "+file+"; consider replacing the secret"))
			}
		}
		return files
	}
	open("keys", filepath.Join(keys, "*.nk"))
	before := len(list)
	if files := open("secrets", filepath.Join(credentials, "*")); files > 0 && len(list) == before {
		list = append(list, fine("secrets", "%s", libra.Plural(files, "credential is its owner's alone", "credentials are their owner's alone")))
	}
	return list
}

// seeBus compares what the bus keeps with the most that it may.
func seeBus(store, space string) []finding {
	var used int64
	err := filepath.WalkDir(store, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				used += inode(info).Blocks * 512
			}
		}
		if errors.Is(err, fs.ErrNotExist) && used > 0 {
			return nil // gone meanwhile
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return []finding{fine("bus", "%s does not exist", store).do("start libra-bus, which creates it")}
	}
	if err != nil {
		return []finding{fine("bus", "%v", err).do("run it as root")}
	}
	var most int64
	if space != "" {
		if most, err = libra.ParseBytes(space, libra.LeastBusSpace); err != nil { // libra-bus says the same of the setting
			return []finding{fine("bus", "%s holds %s; how much it may is not known: LIBRA_BUS_SPACE is invalid", store, libra.FormatBytes(used))}
		}
	}
	var s syscall.Statfs_t
	if err := syscall.Statfs(store, &s); err != nil {
		return []finding{fine("bus", "%s: %v", store, err).do("run it as root")}
	}
	most = libra.BusSpace(most, int64(s.Blocks)*s.Bsize)
	f := fine("bus", "%s holds %s of at most %s", store, libra.FormatBytes(used), libra.FormatBytes(most))
	if used > most/10*9 {
		f = f.do("unprocessed messages fill it: libra status and libra alarms show who is behind; LIBRA_BUS_SPACE is the limit")
	}
	return []finding{f}
}
