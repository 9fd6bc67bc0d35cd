package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/local"
)

func FuzzAShellReadsQuotedWordsAsTheyWere(f *testing.F) {
	for _, seed := range []string{"", "plain", "a b", "'", `'\''`, "$(id)", "`id`", "a\nb", "\x01\xff", "~", "!", "-n", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, word string) {
		line, err := quote([]string{"printf", "%s.", word, "end"})
		if strings.Contains(word, "\x00") {
			if err == nil {
				t.Errorf("%q: %s", word, line)
			}
			return
		}
		got, runErr := exec.Command("sh", "-c", line).Output()
		if string(got) != word+".end." || err != nil || runErr != nil {
			t.Errorf("%q became %q by %s (%v, %v)", word, got, line, err, runErr)
		}
	})
}

func TestTheCommandLineHasTheLeashThatThereIs(t *testing.T) {
	const argv = `psql -c 'select '\''a'\'''`
	for want, test := range map[string]struct {
		host  Host
		input bool
	}{
		"sudo -n -- /mrs-host leash chunks " + argv: {Host{sudo: true, leash: "/mrs-host"}, true},
		"/mrs-host leash nothing " + argv:           {Host{leash: "/mrs-host"}, false},
		"sudo -n -- " + argv:                        {Host{sudo: true}, true},
	} {
		if line, err := test.host.commandLine(test.input, []string{"psql", "-c", "select 'a'"}); line != want || err != nil {
			t.Errorf("%s, %v; want %s", line, err, want)
		}
	}
	if line, err := new(Host).commandLine(false, nil); err == nil {
		t.Error("no command became", line)
	}
}

func TestAnErrorNamesHostCommandWordsAndStatus(t *testing.T) {
	err := error(&Error{Host: "staging", Argv: []string{"psql", "-d", "my db"}, Stderr: "FATAL: no\nreally", Err: exitStatus(2)})
	if want := "staging: psql -d 'my db':\nFATAL: no\nreally\nexit status 2"; err.Error() != want {
		t.Errorf("got\n%s\nwant\n%s", err, want)
	}
	if status := script.NewPipe().WithError(fmt.Errorf("more words: %w", err)).ExitStatus(); status != 2 || local.ExitCode(err) != 2 {
		t.Errorf("status %d, %d", status, local.ExitCode(err))
	}
	lost := &Error{Host: "staging", Argv: []string{"true"}, Err: errors.New("the connection was lost")}
	if want := "staging: true: the connection was lost"; lost.Error() != want || local.ExitCode(lost) != -1 {
		t.Errorf("got %s, %d", lost, local.ExitCode(lost))
	}
}

func TestOnlyTheEndOfStandardErrorIsKept(t *testing.T) {
	var live bytes.Buffer
	said := &tail{live: &live}
	var all strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(said, "\x00line %d\n\x00", i)
		fmt.Fprintf(&all, "line %d\n", i)
	}
	lines := strings.Split(said.String(), "\n")
	if len(lines) != tailLines || lines[0] != "line 99980" || lines[tailLines-1] != "line 99999" {
		t.Errorf("kept:\n%s", said)
	}
	if len(said.kept) > tailBytes {
		t.Errorf("%d bytes are kept", len(said.kept))
	}
	if live.String() != all.String() {
		t.Error("not everything was passed on live")
	}
	quiet := &tail{}
	quiet.Write([]byte{0})
	if quiet.String() != "" {
		t.Errorf("the leash said %q", quiet)
	}
}

// unchunk is what mrs-host leash does: it returns the data, and whether it was told
// that this was all.
func unchunk(t *testing.T, r io.Reader) (data []byte, ended bool) {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > 0 {
		head, rest, _ := bytes.Cut(text, []byte("\n"))
		if string(head) == "end" {
			return data, len(rest) == 0
		}
		size, err := strconv.Atoi(string(head))
		if err != nil || size < 1 || size > chunkSize || size > len(rest) {
			t.Fatalf("a chunk of %q bytes before %d", head, len(rest))
		}
		data, text = append(data, rest[:size]...), rest[size:]
	}
	return data, false
}

func TestInputTravelsInChunksAndItsEndIsSaid(t *testing.T) {
	random := make([]byte, 5<<20+7)
	rand.NewChaCha8([32]byte{}).Read(random)
	for _, want := range [][]byte{nil, []byte("x"), []byte("end\n"), random} {
		var sent bytes.Buffer
		if err := feed(script.NewPipe().WithReader(bytes.NewReader(want)), kept{&sent}, true); err != nil {
			t.Fatal(err)
		}
		if got, ended := unchunk(t, &sent); !bytes.Equal(got, want) || !ended {
			t.Errorf("%d bytes, ended %v; want %d", len(got), ended, len(want))
		}
	}
}

// kept is written to, and closes nothing.
type kept struct{ io.Writer }

func (kept) Close() error { return errors.New("its end is not to be said this way") }

func TestInputWithoutALeashIsSentAsItIs(t *testing.T) {
	r, w := io.Pipe()
	fed := make(chan error, 1)
	go func() { fed <- feed(script.Echo("data\n"), w, false) }()
	if got, err := io.ReadAll(r); string(got) != "data\n" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if err := <-fed; err != nil {
		t.Error(err)
	}
}

func TestTheEndOfInputThatFailedIsNotSaid(t *testing.T) {
	broke := errors.New("broke")
	half := func(r io.Reader, w io.Writer) error { io.WriteString(w, "half"); return broke }
	for name, in := range map[string]*script.Pipe{
		"the source":        script.NewPipe().WithReader(io.MultiReader(strings.NewReader("half"), failing{broke})),
		"a filter":          script.Echo("x").Filter(half),
		"a filter before":   script.Echo("x").Filter(half).Filter(func(r io.Reader, w io.Writer) error { _, err := io.Copy(w, r); return err }),
		"before it started": script.NewPipe().WithError(broke),
	} {
		var sent bytes.Buffer
		err := feed(in, kept{&sent}, true)
		if _, failed := errors.AsType[*inputError](err); !failed || !errors.Is(err, broke) {
			t.Errorf("%s: %v", name, err)
		}
		if _, ended := unchunk(t, &sent); ended {
			t.Errorf("%s: the end was said: %q", name, &sent)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestWhoEndsBeforeTheInputDoesIsFoundOut(t *testing.T) {
	r, w := io.Pipe()
	r.Close()
	if err := feed(script.Echo("data"), w, true); !errors.Is(err, errUnread) {
		t.Errorf("data: %v", err)
	}
	if err := feed(script.Echo(""), w, true); err != nil {
		t.Errorf("nothing: %v", err)
	}
}

func read(text string, err error) piece {
	var data [pieceSize]byte
	return piece{&data, copy(data[:], text), err}
}

func TestSmallPiecesWaitForEachOtherButNotForLong(t *testing.T) {
	pieces := make(chan piece, 3)
	pieces <- read("a", nil)
	pieces <- read("b", nil)
	start := time.Now()
	if chunk, err := gather(pieces, nil); string(chunk) != "ab" || err != nil {
		t.Errorf("%q, %v", chunk, err)
	}
	if took := time.Since(start); took < chunkWait {
		t.Errorf("it waited only %s for more", took)
	}
	pieces <- read("c", io.EOF)
	if chunk, err := gather(pieces, nil); string(chunk) != "c" || err != io.EOF {
		t.Errorf("%q, %v", chunk, err)
	}
}

func BenchmarkFeed(b *testing.B) {
	b.SetBytes(64 << 20)
	for b.Loop() {
		if err := feed(script.NewPipe().WithReader(io.LimitReader(zeros{}, 64<<20)), kept{io.Discard}, true); err != nil {
			b.Fatal(err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
