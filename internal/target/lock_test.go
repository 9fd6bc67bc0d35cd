package target

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
)

// plays is a server on which mrs-host is a script of bash.
type plays string

func (p plays) WithContext(context.Context) runner { return p }
func (p plays) WithStderr(io.Writer) runner        { return p }
func (plays) Close() error                         { return nil }
func (plays) String() string                       { return "here" }

func (p plays) ExecFrom(in *script.Pipe, argv ...string) *script.Pipe {
	return execFrom(context.Background(), in, io.Discard, append([]string{"bash", "-c", string(p)}, argv...))
}

func playing(text string) *Target {
	return &Target{
		Name: "production", Project: "mrs-production", Folder: "/home/x", host: plays(text),
		program: func() (string, error) { return "/mrs-host", nil },
	}
}

// held says who has it: the holder that it is given.
const held = `[ "$0 $1 $2" = "/mrs-host hold -project=mrs-production" ] || exit 3
echo "{\"held\": ${3#-holder=}}"
cat; `

func TestALockIsHeldUntilItIsReleased(t *testing.T) {
	l, err := playing(held).Lock("eve", "deploy")
	if err != nil || l.Token == "" {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	l, err = playing(held+"exit 4").Lock("eve", "deploy")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); local.ExitCode(err) != 4 {
		t.Errorf("a bad end of what held it: %v", err)
	}
}

func TestWhoeverHasTheInstanceLockedIsNamed(t *testing.T) {
	_, err := playing(`echo '{"held": {"token": "x", "who": "bob", "what": "restore", "since": 1}}'; exit 75`).Lock("eve", "deploy")
	busy, ok := errors.AsType[*Busy](err)
	if !ok || busy.Holder.Who != "bob" || !strings.Contains(err.Error(), "production is locked by bob: restore, since ") {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "exit 1", "echo what; exit 1", `echo '{"held": {"token": "of another"}}'`, "echo '{}'"} {
		_, err := playing(text).Lock("eve", "deploy")
		if _, busy := errors.AsType[*Busy](err); err == nil || busy || !strings.Contains(err.Error(), "production can't be locked: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnInstanceOfANewerVersionIsNotLockedAndTheVersionIsSaid(t *testing.T) {
	_, err := playing(`case "$*" in *-folder=/home/x*) ;; *) exit 3 ;; esac
echo '{"failed": {"outcome": "failed", "reason": "it needs version 3", "hint": "git pull"}}'
exit 1`).Lock("eve", "deploy")
	if f, ok := errors.AsType[*hostapi.Failure](err); !ok || f.Reason != "it needs version 3" ||
		err.Error() != "production can't be locked: it needs version 3\nhint: git pull" {
		t.Errorf("%v", err)
	}
}

func TestWhatWorksIsHeldOffUntilTheLockIsReleased(t *testing.T) {
	work := func(seconds string) string {
		return fmt.Sprintf(`[ "$*" = "hold -project=mrs-production -within=%s" ] || exit 3; echo '{"held": {}}'; cat`, seconds)
	}
	for patience, seconds := range map[time.Duration]string{0: "1s", 3 * time.Minute: "3m0s"} {
		l, err := playing(work(seconds)).Work(patience)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	if _, err := playing("exit 75").Work(0); !errors.Is(err, ErrAtWork) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("where something is at work: %v", err)
	}
	if _, err := playing("exit 1").Work(0); err == nil || errors.Is(err, ErrAtWork) {
		t.Errorf("where no lock can be: %v", err)
	}
}

func TestACommandOnThisMachineSeesTheEndOfItsInputOnlyIfThatIsTheEnd(t *testing.T) {
	all := func(in *script.Pipe) (string, error) {
		return execFrom(t.Context(), in, io.Discard, []string{"bash", "-c", "cat; echo all"}).String()
	}
	if out, err := all(script.Echo("a\n")); out != "a\nall\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	broken := script.NewPipe().WithReader(io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(errors.New("the line was cut"))))
	if out, err := all(broken); strings.Contains(out, "all") || err == nil || !strings.Contains(err.Error(), "the line was cut") {
		t.Errorf("%q, %v", out, err)
	}
	// One that does not read is not waited for.
	r, w := io.Pipe()
	defer w.Close()
	if _, err := execFrom(t.Context(), script.NewPipe().WithReader(r), io.Discard, []string{"false"}).String(); local.ExitCode(err) != 1 {
		t.Error(err)
	}
}
