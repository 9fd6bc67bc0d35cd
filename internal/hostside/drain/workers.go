package drain

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is one of this host, as /proc/PID/stat has it (proc(5)).
type process struct {
	parent int
	name   string // at most 15 bytes
	zombie bool   // it has ended, and its parent has not looked yet
}

// processes are those of this host, by their ids.
func processes() map[int]process {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	all := make(map[int]process, len(files))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has gone
		}
		if id, p, ok := parseStat(string(text)); ok {
			all[id] = p
		}
	}
	return all
}

// parseStat reads ID (NAME) STATE PARENT …, whose name may have blanks and parentheses.
func parseStat(text string) (id int, p process, ok bool) {
	begins, ends := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if begins < 1 || ends < begins {
		return 0, p, false
	}
	rest := strings.Fields(text[ends+1:])
	id, err := strconv.Atoi(strings.TrimSpace(text[:begins]))
	if err != nil || len(rest) < 2 {
		return 0, p, false
	}
	p = process{name: text[begins+1 : ends], zombie: rest[0] == "Z" || rest[0] == "X"}
	p.parent, err = strconv.Atoi(rest[1])
	return id, p, err == nil
}

// idleMaster reports whether uWSGI's master is below a process, and nothing lives that a master has started: no worker
// with a request, no spooler with a job. Such a master looks around once a second, for seconds, before it ends.
func idleMaster(all map[int]process, root int) bool {
	uwsgi := func(p process) bool { return strings.HasPrefix(p.name, "uwsgi") && !p.zombie }
	below := func(id int) bool {
		for id != root && id != 0 {
			id = all[id].parent
		}
		return id == root
	}
	master := false
	for id, p := range all {
		if p.zombie || !below(id) {
			continue
		}
		if uwsgi(all[p.parent]) {
			return false
		}
		master = master || uwsgi(p)
	}
	return master
}
