package server

import (
	"bufio"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
)

//go:embed hold.sh
var holdScript string

// Lock is the right to change an instance, which only one has at a time. It is
// gone with the process or the connection that has it, within seconds.
type Lock struct {
	Token string // by which the deployment on the server knows whose lock it runs under

	input *io.PipeWriter
	ended chan error
}

// Holder is who has an instance locked.
type Holder = hostapi.Holder

// Busy is the error where somebody else has the instance locked.
type Busy struct {
	Name   string
	Holder Holder
}

// Error says who has it and what to do.
func (b *Busy) Error() string {
	return fmt.Sprintf("%s is locked by %s\nhint: wait until that has ended; mage deploy:unlock %s ends it", b.Name, b.Holder, b.Name)
}

// Lock locks the instance for what, on behalf of who. It holds until it is
// released, or the connection is lost. The error is a [*Busy]
// where somebody else has it.
func (s *Server) Lock(who, what string) (*Lock, error) {
	token := rand.Text()
	lock, said, err := s.hold(holdScript, s.Project, token, who, what)
	if local.ExitCode(err) == 75 {
		busy := &Busy{Name: s.Name}
		_ = json.Unmarshal([]byte(said), &busy.Holder)
		return nil, busy
	}
	if err != nil {
		return nil, fmt.Errorf("%s can't be locked: %w", s.Name, err)
	}
	lock.Token = token
	return lock, nil
}

// workScript holds what deployments, backups and restores hold while they are at
// work (PROJECT.work) until its input ends. Exit status: 75 where it is not free
// within so many seconds.
const workScript = `
set -euo pipefail
# A line in any case: who waits for it closes our input then.
trap 'echo not held' EXIT
mkdir -p "$1"
exec 8>>"$1/$2.work"
flock --timeout "$3" --conflict-exit-code 75 8
trap - EXIT
echo held
while IFS= read -r _; do :; done`

// ErrAtWork is the error where something that was begun before does not end.
var ErrAtWork = errors.New("a backup, a restore or an earlier deployment does not end")

// Work holds off whatever works on the instance, backups among it, until the lock
// is released or the connection is lost. What is at work already is waited for,
// up to patience; then the error is [ErrAtWork].
func (s *Server) Work(patience time.Duration) (*Lock, error) {
	return s.work(hostapi.Locks, patience)
}

func (s *Server) work(folder string, patience time.Duration) (*Lock, error) {
	// A timeout of 0 is none to flock.
	seconds := strconv.Itoa(max(1, int(patience.Seconds())))
	lock, _, err := s.hold(workScript, folder, s.Project, seconds)
	if local.ExitCode(err) == 75 {
		return nil, fmt.Errorf("%s: %w\nhint: see who, on the server: fuser -v %s/%s.work", s.Name, ErrAtWork, folder, s.Project)
	}
	return lock, err
}

// hold runs a script that says "held" once it holds something, until its input
// ends. Where it says something else, that is returned with the error that the
// script ended with.
func (s *Server) hold(text string, args ...string) (lock *Lock, said string, err error) {
	r, w := io.Pipe()
	lock = &Lock{input: w, ended: make(chan error, 1)}
	out := s.ScriptFrom(script.NewPipe().WithReader(r), text, args...)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "held" {
		w.Close()
		said = lines.Text()
		for lines.Scan() { // to the error
		}
		err = errors.Join(lines.Err(), out.Error())
		if err == nil {
			err = errors.New("it does not say that it holds")
		}
		return nil, said, err
	}
	go func() {
		for lines.Scan() { // to its end
		}
		lock.ended <- lines.Err()
	}()
	return lock, "", nil
}

// Release gives the instance free. What still works under the lock is ended
// first, and undoes what it has begun.
func (l *Lock) Release() error {
	l.input.Close()
	return <-l.ended
}

// Holder returns who has the instance locked, and whether anybody has.
func (s *Server) Holder() (holder Holder, locked bool, err error) {
	// What is empty is not tried: to try is to have it for a moment.
	out, err := text(s.Script(`cd /run/lock/mrs-ops 2>/dev/null && [ -s "$1.lock" ] && ! flock --nonblock "$1.lock" true && cat "$1.lock" || true`, s.Project))
	if err != nil || out == "" {
		return holder, false, err
	}
	return holder, true, json.Unmarshal([]byte(out), &holder)
}

// Unlock ends who has the instance locked, as [Lock.Release] does.
func (s *Server) Unlock(h Holder) error {
	// By the token: a process that has the number by now is another.
	_, err := text(s.Script(`
set -euo pipefail
cd /run/lock/mrs-ops
flock --nonblock "$1.lock" true || ! grep -qF "\"$2\"" "$1.lock" && exit 0
kill -TERM "$3"
for ((n = 0; n < 600; n++)); do
  ! flock --nonblock "$1.lock" true || exit 0
  sleep 0.2
done
echo "it does not end" >&2
exit 1`, s.Project, h.Token, h.PID))
	return err
}
