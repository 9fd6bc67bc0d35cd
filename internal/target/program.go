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

// look says of a server's processor what uname -m says, and of the programs in the folder $1 whose names match $2 the
// SHA-256. One that is about to be used is new: nobody removes it.
const look = `uname -m
find "$1" -name "$2" -perm -0111 -exec touch {} + -exec sha256sum {} + 2>/dev/null || true`

// put has a program there whole, or not at all.
const put = `set -euo pipefail
trap 'rm -f "$1.$$"' EXIT
install -D -m 0755 /dev/stdin "$1.$$"
sha256sum --check --status <<<"$2  $1.$$"
sync "$1.$$" && mv -f "$1.$$" "$1" && sync "${1%/*}"`

// Ship has this project's program ./cmd/NAME on the server, for its processor, in [hostapi.Programs], and returns its
// path. It is built where the server has none of this source that is whole.
func (s *Target) Ship(ctx context.Context, name string) (string, error) {
	machine := program.Here() // most servers are like it
	for {
		resume := s.pause()
		key, err := program.Key(ctx, name, machine)
		resume()
		if err != nil {
			return "", fmt.Errorf("%s: %w", s, err)
		}
		said, err := s.bare(nil, look, hostapi.Programs, key+"-*").String()
		if err != nil {
			return "", fmt.Errorf("%s can't be asked for %s: %w", s, name, err)
		}
		is, there, _ := strings.Cut(strings.TrimSpace(said), "\n")
		if is != machine {
			machine = is
			continue
		}
		for line := range strings.Lines(there) {
			sum, at, _ := strings.Cut(strings.TrimSpace(line), "  ")
			if its := program.Name(key, sum); path.Base(at) == its {
				return path.Join(hostapi.Programs, its), nil
			}
		}
		return s.send(ctx, name, machine)
	}
}

// send builds a program, and has it on the server.
func (s *Target) send(ctx context.Context, name, machine string) (string, error) {
	defer s.pause()()
	built, err := program.Build(ctx, name, machine)
	if err != nil {
		return "", fmt.Errorf("%s: %w", s, err)
	}
	to := path.Join(hostapi.Programs, built.Name)
	if _, err := s.bare(script.File(built.Path), put, to, built.Sum).String(); err != nil {
		return "", fmt.Errorf("%s can't be put on %s: %w", name, s, err)
	}
	return to, nil
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
