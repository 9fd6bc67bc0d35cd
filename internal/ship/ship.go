// Package ship has this project's programs on servers, in [hostapi.Programs], each
// under the name of its hash, built for the server's processor.
//
// It must not know what they do there.
package ship

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/program"
)

// Server is where a program is to be: it runs scripts of bash as root.
type Server interface {
	Script(text string, args ...string) *script.Pipe
	ScriptFrom(in *script.Pipe, text string, args ...string) *script.Pipe
	String() string
}

// look says of a server's processor what uname -m says, and whether the program is
// there, whole. One that is about to be used is new: nobody removes it.
const look = `uname -m
[ -x "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status && touch "$1" && echo there || echo missing`

// put has a program there whole, or not at all.
const put = `set -euo pipefail
install -d -m 0755 "${1%/*}"
new=$1.$$
trap 'rm -f "$new"' EXIT
cat >"$new"
printf '%s  %s\n' "$2" "$new" | sha256sum --check --status
chmod 0755 "$new"
sync "$new"
mv -f "$new" "$1"
sync "${1%/*}"`

// To has the program ./cmd/NAME on a server, unless it is there, and returns its path.
func To(ctx context.Context, s Server, name string) (string, error) {
	machine := program.Here() // most servers are like it
	for {
		built, err := program.Build(ctx, name, machine)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s, err)
		}
		to := path.Join(hostapi.Programs, name+"-"+built.Sum[:16])
		said, err := s.Script(look, to, built.Sum).String()
		if err != nil {
			return "", fmt.Errorf("%s can't be asked for %s: %w", s, name, err)
		}
		is, there, _ := strings.Cut(strings.TrimSpace(said), "\n")
		switch {
		case is != machine:
			machine = is
			continue
		case there == "there":
			return to, nil
		}
		if _, err := s.ScriptFrom(script.File(built.Path), put, to, built.Sum).String(); err != nil {
			return "", fmt.Errorf("%s can't be put on %s: %w", name, s, err)
		}
		return to, nil
	}
}
