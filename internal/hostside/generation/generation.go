// Package generation keeps older clones of this project from changing what a newer one has changed, and says which
// version they need.
//
// There are two kinds. Clones that ship mrs-host ask it, and it reads which version of [hostapi] has deployed an
// instance last ([Refuse]). Clones from before mrs-host (the last is of commit 721196b) ask nobody: they run scripts
// of their own on the server. Of them is known what they read before they change anything, and there they find, once
// [Mark] was called, what ends them. It must not know how an instance is deployed.
package generation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// version is the file of an instance's folder that says which [hostapi.Version] has deployed it last.
const version = ".version"

// Of returns the version that has deployed the stack in a folder last; 0: one from before that was written down, or
// none.
func Of(folder string) (int, error) {
	text, err := os.ReadFile(filepath.Join(folder, version))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s is no version of mrs-ops: %.20q\nhint: deploying with the newest clone writes it; "+
			"remove it first", filepath.Join(folder, version), text)
	}
	return n, nil
}

// Refuse returns an error, a [*hostapi.Failure], where a newer version than this one has deployed the stack in a
// folder.
func Refuse(name, folder string) error {
	theirs, err := Of(folder)
	if err != nil {
		return err
	}
	if theirs > hostapi.Version {
		return hostapi.Outdated(name, theirs, hostapi.Version)
	}
	return nil
}

// Kept is how the names of the folders begin in which a takeover keeps what it has disabled of the old system; behind
// it is the time.
const Kept = "old-system."

// Foreign reports whether the stack in a folder was deployed by the old system (yourlabs.compose) and is not taken
// over: none of the files is there that a deployment of ours makes before it starts anything, and no folder [Kept].
func Foreign(folder string) bool {
	if _, err := os.Stat(filepath.Join(folder, "docker-compose.yml")); err != nil {
		return false
	}
	for _, ours := range []string{version, ".program", ".backup.env", "releases", Kept + "*"} {
		if found, _ := filepath.Glob(filepath.Join(folder, ours)); len(found) > 0 {
			return false
		}
	}
	return true
}

// Place is where a version leaves its marks.
type Place struct {
	Folder          string // of the stack
	Locks, Programs string // [hostapi.Locks], [hostapi.Programs]
	// Tmpfiles is the folder of what systemd makes at boot (tmpfiles.d(5)); empty: systemd does not run here.
	Tmpfiles string
	// Backed: the instance is backed up. Branches: it is one, which is removed once its time has passed.
	Backed, Branches bool
}

// Mark has it there that this version has deployed the stack. It is called once that has succeeded: after one that was
// undone, the clone that has deployed what runs is still the right one. It returns how much was not there.
func Mark(p Place) (changes int, err error) {
	did := func(done bool, e error) {
		if done {
			changes++
		}
		err = errors.Join(err, e)
	}
	did(has(filepath.Join(p.Folder, version), strconv.Itoa(hostapi.Version)+"\n", 0o600))
	script := filepath.Join(p.Programs, older)
	did(has(script, refusal(), 0o644))
	did(leads(filepath.Join(p.Locks, imported), script))
	if p.Tmpfiles != "" {
		// /run is empty after a boot.
		did(
			has(
				filepath.Join(p.Tmpfiles, "mrs-ops.conf"),
				fmt.Sprintf("# Locks of instances, and what refuses older clones of mrs-ops "+
					"(docs/architecture.md).\nd %s 0700 root root -\nL %s - - - - %s\n",
					p.Locks, filepath.Join(p.Locks, imported), script),
				0o644,
			),
		)
	}
	if p.Backed {
		did(inTheWay(filepath.Join(p.Folder, "backup-common.sh")))
	}
	if p.Branches {
		did(inTheWay(filepath.Join(p.Programs, "branches.sh")))
	}
	return changes, err
}

const (
	// older is the program that ends the lock's holder of a clone from before mrs-host: hold.sh, which runs "python3
	// -" in the folder of the locks, to write down who it is, before anything else. Python looks there first for what
	// is imported, which is this.
	older    = "older.py"
	imported = "json.py"
	// notice is a file in a folder that is in the way of a script of theirs: who looks why, finds it.
	notice = "GIT-PULL--a-newer-mrs-ops-operates-this-server"
)

// refusal is the program, and what it says; the hint is the last line.
func refusal() string {
	return "# Ends what mrs-ops from before mrs-host does here: hold.sh imports this (package generation).\n" +
		"raise SystemExit(" + strconv.Quote(
		needs(),
	) + ")\n"
}

func needs() string {
	return fmt.Sprintf(
		"this server is operated by mrs-ops of version %d or later, and this clone is older: nothing was changed\n"+
			"hint: git pull in your clone of mrs-ops, then again",
		hostapi.Version,
	)
}

// has gives a file a content, and reports whether it had another one.
func has(path, content string, mode fs.FileMode) (bool, error) {
	now, err := os.ReadFile(path)
	if err == nil && string(now) == content {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	return true, durable.Write(path, []byte(content), mode)
}

// leads makes a link, and reports whether there was another one, or none.
func leads(path, to string) (bool, error) {
	if now, err := os.Readlink(path); err == nil && now == to {
		return false, nil
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return true, os.Symlink(to, path)
}

// inTheWay has a folder where clones from before mrs-host put a script, a file: they fail, before they change what
// runs. It reports whether it was not there.
func inTheWay(path string) (bool, error) {
	if info, err := os.Lstat(path); err == nil && !info.IsDir() {
		if err := os.Remove(path); err != nil {
			return false, err
		}
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return false, err
	}
	return has(filepath.Join(path, notice), needs()+"\n", 0o644)
}
