// Package leash runs a command for who is at the other end of an SSH connection: once nobody listens to it any more, it
// and all that it has started are ended.
//
// sshd itself ends nothing: a command without a terminal outlives its connection, and takes the end of its input for
// the end of the data. So:
//
//   - every second a NUL goes to standard error, which tells whether sshd still reads there. No message has a NUL; the
//     listener (package remote) takes them out again.
//   - input comes in chunks, each after a line with its size in bytes, and after the last one the line "end". The
//     command sees the end of its input only if that was said; otherwise it waits for more until it is ended.
//
// It must not know what the command does.
package leash

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
)

var (
	every = time.Second     // it is asked whether anybody listens
	grace = 5 * time.Second // what is told to end may take
)

// Run runs a command with the outputs of this process, and without an input, or with the one that comes in chunks from
// in. It returns the exit status as a shell has it: 128 and the signal that has ended it; 126 or 127 where it could
// not be started. All that belongs to the process group of this process is ended once nobody reads errors.
func Run(in io.Reader, argv ...string) (status int) {
	// To heed it is not to ignore it: the command would do that, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	alone := make(chan struct{})
	go watch(os.Stderr, every, func() {
		close(alone)
		end()
	})
	cmd := command.Context(context.Background(), argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if in != nil {
		r, w, err := os.Pipe()
		if err != nil {
			return unstarted(err)
		}
		defer r.Close()
		cmd.Stdin = r
		go feed(w, in)
	}
	if err := cmd.Start(); err != nil {
		return unstarted(err)
	}
	err := cmd.Wait()
	select {
	case <-alone: // what it has started may still be there
		select {}
	default:
	}
	if err == nil {
		return 0
	}
	return bound.Status(err)
}

func unstarted(err error) int {
	fmt.Fprintln(os.Stderr, err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// watch writes NULs, and calls end once nobody reads them.
func watch(errors io.Writer, every time.Duration, end func()) {
	for {
		time.Sleep(every)
		if _, err := errors.Write([]byte{0}); err != nil {
			end()
			return
		}
	}
}

// end ends the process group of this process, and this process last.
func end() {
	signal.Ignore(syscall.SIGTERM)
	_ = syscall.Kill(0, syscall.SIGTERM)
	time.Sleep(grace)
	_ = syscall.Kill(0, syscall.SIGKILL)
}

// feed writes the data of chunks, and closes what it writes to if they end with "end". Otherwise that stays open:
// whoever reads it is not to take what there is for all of it.
func feed(to io.WriteCloser, chunks io.Reader) {
	if unchunk(to, chunks) == nil {
		to.Close()
		return
	}
	select {} // and keeps it
}

// longestSize is how long a line with a size may be.
const longestSize = 20

// unchunk writes the data of chunks. The error is nil if they were told to end. A writer that takes no more is no
// error: the rest is read all the same.
func unchunk(to io.Writer, chunks io.Reader) error {
	lines := bufio.NewReaderSize(chunks, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) > longestSize {
			return errors.New("a chunk without a size")
		}
		size := string(line[:len(line)-1])
		if size == "end" {
			return nil
		}
		n, err := strconv.ParseInt(size, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no size of a chunk", size)
		}
		chunk := &io.LimitedReader{R: lines, N: n}
		if _, err := io.Copy(to, chunk); err != nil {
			to = io.Discard
			_, _ = io.Copy(to, chunk)
		}
		if chunk.N > 0 {
			return io.ErrUnexpectedEOF
		}
	}
}
