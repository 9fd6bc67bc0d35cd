package target

import (
	"bufio"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Lock is the right to change an instance, which only one has at a time. It is
// gone with the process or the connection that has it, within seconds.
type Lock struct {
	Token string // by which the deployment on the server knows whose lock it runs under

	input *io.PipeWriter
	ended chan error
}

// Busy is the error where somebody else has the instance locked.
type Busy struct {
	Name   string
	Holder hostapi.Holder
}

// Error says who has it and what to do.
func (b *Busy) Error() string {
	return fmt.Sprintf("%s is locked by %s\nhint: wait until that has ended; mage deploy:unlock %s ends it",
		b.Name, b.Holder, b.Name)
}

// Lock locks the instance for what, on behalf of who. It holds until it is released,
// or the connection is lost. The error is a [*Busy] where somebody else has it.
func (s *Target) Lock(who, what string) (*Lock, error) {
	token := rand.Text()
	holder, err := json.Marshal(hostapi.Holder{Token: token, Who: who, What: what})
	if err != nil {
		return nil, err
	}
	lock, by, err := s.hold(token, "-holder="+string(holder), "-folder="+s.Folder)
	if local.ExitCode(err) == hostapi.Busy {
		return nil, &Busy{Name: s.Name, Holder: by}
	}
	if err != nil {
		return nil, fmt.Errorf("%s can't be locked: %w", s.Name, err)
	}
	lock.Token = token
	return lock, nil
}

// ErrAtWork is the error where something that was begun before does not end.
var ErrAtWork = errors.New("a backup, a restore or an earlier deployment does not end")

// Work holds off whatever works on the instance, backups among it, until the lock
// is released or the connection is lost. What is at work already is waited for,
// up to patience; then the error is [ErrAtWork].
func (s *Target) Work(patience time.Duration) (*Lock, error) {
	lock, _, err := s.hold("", "-within="+max(patience, time.Second).String())
	if local.ExitCode(err) == hostapi.Busy {
		return nil, fmt.Errorf("%s: %w\nhint: see who, on the server: fuser -v %s/%s.work",
			s.Name, ErrAtWork, hostapi.Locks, s.Project)
	}
	return lock, err
}

// hold has mrs-host hold something, in the name of a token, until its input ends.
// Where it does not, by is who has it.
func (s *Target) hold(token string, options ...string) (lock *Lock, by hostapi.Holder, err error) {
	r, w := io.Pipe()
	lock = &Lock{input: w, ended: make(chan error, 1)}
	out := s.about(script.NewPipe().WithReader(r), "hold", options...)
	lines := bufio.NewScanner(out)
	var said hostapi.Event
	if lines.Scan() {
		err = json.Unmarshal(lines.Bytes(), &said)
	}
	if said.Held != nil {
		by = *said.Held
	}
	if err == nil && said.Held != nil && by.Token == token {
		go func() {
			_, err := io.Copy(io.Discard, out)
			lock.ended <- err
		}()
		return lock, by, nil
	}
	w.Close()
	for lines.Scan() { // to the error
	}
	if said.Failed != nil {
		return nil, by, said.Failed
	}
	if err = errors.Join(err, lines.Err(), out.Error()); err == nil {
		err = errors.New("it does not say that it holds")
	}
	return nil, by, err
}

// Release gives the instance free. What still works under the lock is ended
// first, and undoes what it has begun.
func (l *Lock) Release() error {
	l.input.Close()
	return <-l.ended
}

// Holder returns who has the instance locked, and whether anybody has. Nothing is
// changed there.
func (s *Target) Holder() (holder hostapi.Holder, locked bool, err error) {
	// What is empty is not tried: to try is to have it for a moment.
	const look = `cd "$1" 2>/dev/null && [ -s "$2.lock" ] && ! flock --nonblock "$2.lock" true && cat "$2.lock" || true`
	out, err := text(s.Script(look, hostapi.Locks, s.Project))
	if err != nil || out == "" {
		return holder, false, err
	}
	return holder, true, json.Unmarshal([]byte(out), &holder)
}

// Unlock ends who has the instance locked, as [Lock.Release] does.
func (s *Target) Unlock(h hostapi.Holder) error {
	holder, err := json.Marshal(h)
	if err != nil {
		return err
	}
	_, err = text(s.about(nil, "unlock", "-holder="+string(holder)))
	return err
}
