// Package command runs other programs, and writes down which: when each began, how it ended, how long it took, and
// its words, as a shell would be given them. What a program reads and what is in its environment is never written
// down: that is where secrets are.
//
// It is the one place where mrs-host runs anything (a test holds that). It must not know what the programs do.
package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// log is the file that this process writes to; nil: none.
var log atomic.Pointer[string]

// Keep has all programs that this process runs from now on written down in a file, PROJECT.commands.log in a folder, a
// line each:
//
//	TIME STATUS SECONDS COMMAND
//
// STATUS is the exit status, as a shell has it: 128 and the number of the signal that ended it; "?" where it did not
// start. One that runs for more than a second has a line then, too, with the status "-", so that it is known of one
// that is killed with this process. Nothing waits for the disk, and a line that can't be written is none.
func Keep(folder, project string) {
	if !projectName.MatchString(project) {
		return
	}
	path := filepath.Join(folder, project+".commands.log")
	log.Store(&path)
}

var projectName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Cmd is a program to run, as [exec.Cmd] is.
type Cmd struct {
	*exec.Cmd
	began time.Time
	still *time.Timer
}

// Context returns a program that ends with a context, as [exec.CommandContext] does. The words hold nothing secret.
func Context(ctx context.Context, name string, argv ...string) *Cmd {
	cmd := exec.CommandContext(ctx, name, argv...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: apart.Load()}
	return &Cmd{Cmd: cmd}
}

var apart atomic.Bool

// Apart has a terminal's signals be for none of the programs from now on: one that heeds them (signal(7)) would, though
// its parent ignores them.
func Apart() { apart.Store(true) }

// long is how long a program runs until it is written down that it runs.
const long = time.Second

// Start starts it ([exec.Cmd.Start]).
func (c *Cmd) Start() error {
	c.begin()
	err := c.Cmd.Start()
	if err != nil {
		c.ended(err)
	}
	return err
}

// Wait waits for its end ([exec.Cmd.Wait]).
func (c *Cmd) Wait() error {
	err := c.Cmd.Wait()
	c.ended(err)
	return err
}

// Run runs it ([exec.Cmd.Run]).
func (c *Cmd) Run() error {
	c.begin()
	err := c.Cmd.Run()
	c.ended(err)
	return err
}

// Output runs it, and returns what it prints ([exec.Cmd.Output]).
func (c *Cmd) Output() ([]byte, error) {
	c.begin()
	out, err := c.Cmd.Output()
	c.ended(err)
	return out, err
}

// CombinedOutput runs it, and returns all that it says ([exec.Cmd.CombinedOutput]).
func (c *Cmd) CombinedOutput() ([]byte, error) {
	c.begin()
	out, err := c.Cmd.CombinedOutput()
	c.ended(err)
	return out, err
}

// Leave starts it, and lets it go on by itself: its end is not known.
func (c *Cmd) Leave() error {
	if err := c.Start(); err != nil {
		return err
	}
	c.still.Stop()
	c.write("-")
	return c.Process.Release()
}

func (c *Cmd) begin() {
	c.began = time.Now()
	c.still = time.AfterFunc(long, func() { c.write("-") })
}

func (c *Cmd) ended(err error) {
	c.still.Stop()
	c.write(status(err))
}

// status is how a program ended.
func status(err error) string {
	if err == nil {
		return "0"
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return "?"
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return fmt.Sprint(128 + int(s.Signal()))
	}
	return fmt.Sprint(exit.ExitCode())
}

func (c *Cmd) write(status string) {
	path := log.Load()
	if path == nil {
		return
	}
	_ = os.MkdirAll(filepath.Dir(*path), 0o755)
	file, err := os.OpenFile(*path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = file.WriteString(c.line(status, time.Now()))
}

// line is what is written down.
func (c *Cmd) line(status string, now time.Time) string {
	words := make([]string, len(c.Args))
	for i, word := range c.Args {
		words[i] = quote(hide(word))
	}
	where := ""
	if c.Dir != "" {
		where = "cd " + quote(c.Dir) + " && "
	}
	return fmt.Sprintf(
		"%s %s %.3f %s%s\n",
		c.began.UTC().
			Format("2006-01-02T15:04:05.000Z"),
		status,
		now.Sub(c.began).Seconds(),
		where,
		strings.Join(words, " "),
	)
}

var (
	secretName = regexp.MustCompile(
		`(?i)^([A-Za-z0-9_.-]*(?:password|passwd|secret|token|dsn|_key|_pw)[A-Za-z0-9_.-]*=).+`,
	)
	userInfo  = regexp.MustCompile(`(://[^:/@\s]*):[^@/\s]+@`)
	plainWord = regexp.MustCompile(`^[A-Za-z0-9_./@:,=+%-]+$`)
)

// hide takes out of a word what may be a secret, though none is to be there: the value of what is called so, and the
// password of an address.
func hide(word string) string {
	return userInfo.ReplaceAllString(secretName.ReplaceAllString(word, "${1}…"), "$1:…@")
}

// quote returns a word that a shell reads as the text, on one line.
func quote(text string) string {
	switch {
	case plainWord.MatchString(text):
		return text
	case strings.ContainsAny(text, "\n\r\x1b"):
		text = strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`, "\x1b", `\e`).Replace(text)
		return "$'" + text + "'"
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
