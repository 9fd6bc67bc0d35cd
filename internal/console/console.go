// Package console is how the targets talk with who runs them.
//
// It obeys four rules:
//
//   - what was asked for goes to standard output, everything about it to
//     standard error, so that output can be piped;
//   - colour is for terminals and for the logs of CI systems that show it, and
//     never where NO_COLOR is set;
//   - a question is asked only of a terminal: elsewhere the answer is no;
//   - lines are plain and whole: nothing is drawn over, so that a log of a run
//     reads like the run.
//
// It must not know what is talked about.
package console

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"golang.org/x/term"
)

// Colour reports whether what is written to f may be coloured.
func Colour(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" {
		return false
	}
	if ci() != "" { // their runners have no terminal, and so no TERM to speak of
		info, err := f.Stat()
		return err == nil && !info.Mode().IsRegular()
	}
	return os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// Say tells how things go, in a line on standard error.
func Say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if Colour(os.Stderr) {
		line = "\033[36m" + line + "\033[0m"
	}
	fmt.Fprintln(os.Stderr, line)
}

// Done prints the outcome of a target, in a line on standard output.
func Done(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if Colour(os.Stdout) {
		line = "\033[32m" + line + "\033[0m"
	}
	fmt.Println(line)
}

// Summary prints the outcome of a target that prints data, in a line on standard
// error: on standard output is what was asked for, and nothing else.
func Summary(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if Colour(os.Stderr) {
		line = "\033[32m" + line + "\033[0m"
	}
	fmt.Fprintln(os.Stderr, line)
}

// Table prints rows on standard output in columns; the first row is the heading.
func Table(rows ...[]string) error { return WriteTable(os.Stdout, rows...) }

// WriteTable is [Table] to w.
func WriteTable(w io.Writer, rows ...[]string) error {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		// A cell of several lines would tear the table.
		cells := strings.NewReplacer("\n", `\n`, "\t", " ").Replace(strings.Join(row, "\x00"))
		fmt.Fprintln(columns, strings.ReplaceAll(cells, "\x00", "\t"))
	}
	return columns.Flush()
}

// JSON prints value on standard output, indented.
func JSON(value any) error {
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(value)
}

// Pulse tells say label and the seconds since now, at every interval given,
// until the function it returns is called: a sign of life of something long.
func Pulse(interval time.Duration, say func(format string, args ...any), label string) (stop func()) {
	began := time.Now()
	ticker := time.NewTicker(interval)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-ticker.C:
				say("%s: %d s", label, int(time.Since(began).Seconds()))
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-stopped
	}
}

// Interruptible returns a context that ends with the first Ctrl-C, or other
// request to end, after which its user undoes what it has begun, however long
// that takes: mage, which is not told any more, would give it five seconds. The
// second request ends the process. To be called once, by what undoes.
func Interruptible(ctx context.Context) (interruptible context.Context, stop func()) {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}
	signal.Reset(signals...)
	ctx, stop = signal.NotifyContext(ctx, signals...)
	context.AfterFunc(ctx, stop) // the default again
	return ctx, stop
}

// Interactive reports whether somebody is there to answer.
func Interactive() bool {
	return os.Getenv("CI") == "" && term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))
}

// Sure asks question, and returns an error unless the answer was yes. Where
// nobody can be asked, the error says how to do without.
func Sure(question string) error {
	if !Interactive() {
		return fmt.Errorf("%s Nobody is there to answer; nothing was done\nhint: -yes asks no question", question)
	}
	if !Confirm(question) {
		return errors.New("not confirmed; nothing was done")
	}
	return nil
}

// Typed asks question, and returns an error unless the answer was the word given:
// for what can't be done by a hasty key.
func Typed(question, word string) error {
	if !Interactive() {
		return fmt.Errorf("%s Nobody is there to type %q; nothing was done\nhint: run it on a terminal", question, word)
	}
	fmt.Fprintf(os.Stderr, "%s Type %s: ", question, word)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	if strings.TrimSpace(answer) != word {
		return errors.New("not confirmed; nothing was done")
	}
	return nil
}

// Confirm asks question and reports whether the answer was yes. Without a
// terminal nobody is asked, and the answer is no.
func Confirm(question string) bool {
	if !Interactive() {
		return false
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer, _ := bufio.NewReader(os.Stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes", "o", "oui":
		return true
	}
	return false
}
