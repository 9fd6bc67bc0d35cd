package server

import (
	"fmt"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Tools is where our programs are on a server: for root to change, for all to run.
const Tools = "/usr/local/lib/mrs-ops"

// Install has a program of this machine at a path of the server: known by its
// SHA-256, in hexadecimal, so that one that is there is not brought again. It
// reports whether it was.
func (s *Server) Install(program, sum, path string) (brought bool, err error) {
	const there = `[ -x "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status`
	switch _, err := s.Script(there, path, sum).String(); {
	case err == nil:
		return false, nil
	case local.ExitCode(err) != 1:
		return false, err
	}
	const put = `set -euo pipefail
install -d -m 0755 "${1%/*}"
new=$1.$$
trap 'rm -f "$new"' EXIT
cat >"$new"
printf '%s  %s\n' "$2" "$new" | sha256sum --check --status
chmod 0755 "$new"
sync -- "$new"
mv -f "$new" "$1"`
	if _, err := s.ScriptFrom(script.File(program), put, path, sum).String(); err != nil {
		return false, fmt.Errorf("%s can't be put on %s: %w", path, s, err)
	}
	return true, nil
}
