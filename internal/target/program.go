package target

import (
	"context"
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/program"
)

// look says of a server's processor what uname -m says, and whether the program is
// there, whole. One that is about to be used is new: nobody removes it.
const look = `uname -m
[ -x "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum --check --status && touch "$1" && echo there || echo missing`

// put has a program there whole, or not at all.
const put = `set -euo pipefail
trap 'rm -f "$1.$$"' EXIT
install -D -m 0755 /dev/stdin "$1.$$"
sha256sum --check --status <<<"$2  $1.$$"
sync "$1.$$" && mv -f "$1.$$" "$1" && sync "${1%/*}"`

// Ship has this project's program ./cmd/NAME on the server, built for its processor,
// in [hostapi.Programs] under the name of its hash, and returns its path.
func (s *Target) Ship(ctx context.Context, name string) (string, error) {
	machine := program.Here() // most servers are like it
	for {
		resume := s.pause()
		built, err := program.Build(ctx, name, machine)
		resume()
		if err != nil {
			return "", fmt.Errorf("%s: %w", s, err)
		}
		to := path.Join(hostapi.Programs, name+"-"+built.Sum[:16])
		said, err := s.bare(nil, look, to, built.Sum).String()
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
		resume = s.pause()
		defer resume()
		if _, err := s.bare(script.File(built.Path), put, to, built.Sum).String(); err != nil {
			return "", fmt.Errorf("%s can't be put on %s: %w", name, s, err)
		}
		return to, nil
	}
}

// bare runs a script without a leash, which is yet to be there: it has to know by itself whether its input is whole.
func (s *Target) bare(in *script.Pipe, text string, args ...string) *script.Pipe {
	return s.host.ExecFrom(in, inBash(text, args)...)
}

func (s *Target) pause() (resume func()) {
	if s.Pause == nil {
		return func() {}
	}
	return s.Pause()
}

// Program has mrs-host there, once, and returns its path.
func (s *Target) Program() (string, error) { return s.program() }

func shipped(ctx context.Context, s *Target) func() (string, error) {
	return sync.OnceValues(func() (string, error) { return s.Ship(ctx, "mrs-host") })
}

// Ask has this project's mrs-host, whatever the deployments there were made with, do
// something. Its reason is the error of one that was refused.
func (s *Target) Ask(words ...string) *script.Pipe { return s.AskFrom(nil, words...) }

// AskFrom is [Target.Ask] with the contents of in as standard input.
func (s *Target) AskFrom(in *script.Pipe, words ...string) *script.Pipe {
	mrsHost, err := s.Program()
	if err != nil {
		return script.NewPipe().WithError(err)
	}
	return s.ExecFrom(in, append([]string{mrsHost}, words...)...)
}

// about is [Target.AskFrom] for a command about the instance.
func (s *Target) about(in *script.Pipe, command string, options ...string) *script.Pipe {
	return s.AskFrom(in, append([]string{command, "-project=" + s.Project}, options...)...)
}
