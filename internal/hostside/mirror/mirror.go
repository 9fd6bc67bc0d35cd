// Package mirror keeps a restic repository also at another place, which lftp(1) reaches:
// by FTP with TLS, SFTP and what else it knows.
//
// lftp's commands are pure text here, and go to it by standard input, the address too: it has
// a password in it. It must not know what is mirrored when, nor what is good.
package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

// Mirror is one.
type Mirror struct {
	Address string // PROTO://USER:PASSWORD@HOST, secret
	// Plain: without TLS. Else the certificate of a server that speaks FTP is checked.
	Plain  bool
	Folder string // there, in which the repository is
	Runner bound.Runner
}

// Bounds. A transfer may take as long as it takes: a first one is of hundreds of gigabytes.
//
// lftp tells itself, by xfer:timeout, whether a file comes further than it was: left to itself, it begins a file anew,
// for ever, where a server takes some bytes and then no more. An lftp that does not tell is ended by us.
var (
	asks  = bound.Time(10 * time.Minute)
	moves = bound.Limit{Idle: 10 * time.Minute}
)

// settings of all runs: what fails ends it; a file has its name there once it is whole.
func (m Mirror) settings() []string {
	lines := []string{
		"set cmd:fail-exit yes", "set net:timeout 20", "set net:max-retries 2", "set net:reconnect-interval-base 2",
		fmt.Sprintf("set xfer:timeout %d", int(moves.Idle.Seconds())),
		"set xfer:use-temp-file yes", "set xfer:temp-file-name .in.*", "set xfer:clobber yes", "set sftp:auto-confirm no",
	}
	if m.Plain {
		return append(lines, "set ftp:ssl-allow no")
	}
	return append(lines, "set ftp:ssl-force yes", "set ftp:ssl-protect-data yes", "set ftp:ssl-protect-list yes",
		"set ssl:verify-certificate yes", "set ssl:check-hostname yes")
}

// quote has lftp take a text as one word.
func quote(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// run has lftp carry out commands, and returns what it prints.
func (m Mirror) run(ctx context.Context, name string, limit bound.Limit, commands ...string) ([]byte, error) {
	lines := append(m.settings(), "open "+quote(m.Address))
	text := strings.Join(append(lines, commands...), "\n") + "\n"
	if strings.Count(text, "\n") != len(lines)+len(commands) || strings.ContainsAny(text, "\r\x00") {
		return nil, errors.New("the mirror's address, or the name of a file, has a line end in it")
	}
	var out bytes.Buffer
	var said bound.Tail
	var shown bound.Counter
	limit.Also = shown.Bytes // each line tells of a file
	err := m.Runner.Run(ctx, bound.Command{Name: name, Argv: []string{"lftp"}, Stdin: strings.NewReader(text),
		Stdout: shown.Over(&out), Stderr: &said, Limit: limit})
	if err == nil {
		return out.Bytes(), nil
	}
	if bound.Status(err) >= 0 && strings.Contains(said.String(), "no progress timeout") {
		return nil, &bound.Exceeded{Name: name, Limit: moves}
	}
	if why := m.complaint(said.String()); why != "" && bound.Status(err) >= 0 {
		return nil, errors.New(why)
	}
	return nil, err
}

var address = regexp.MustCompile(`[a-z]+://\S*`)

// complaint is the last thing that lftp said, without addresses.
func (m Mirror) complaint(said string) string {
	var last string
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	last = address.ReplaceAllString(last, "the mirror")
	if u, err := url.Parse(m.Address); err == nil {
		if password, ok := u.User.Password(); ok && password != "" {
			last = strings.ReplaceAll(last, password, "…")
		}
	}
	return last
}

// HasRepository reports whether one is there; the folder for it is made.
func (m Mirror) HasRepository(ctx context.Context) (bool, error) {
	out, err := m.run(ctx, "asking the mirror", asks, "mkdir -p -f "+quote(m.Folder), "cls -1 "+quote(m.Folder))
	for name := range strings.FieldsSeq(string(out)) {
		if path.Base(name) == "config" {
			return true, err
		}
	}
	return false, err
}

// Config returns the repository's config there: each repository has another one.
func (m Mirror) Config(ctx context.Context) ([]byte, error) {
	return m.run(ctx, "reading the mirror's config", asks, "cat "+quote(m.Folder+"/config"))
}

// folders of a repository, so that what others refer to comes first.
var folders = []string{"data", "keys", "index", "snapshots"}

// both are the options of copies in either direction. Times say nothing: a clock may go back.
const both = "--verbose --parallel=4 --no-perms --no-umask --ignore-time --exclude=-tmp-"

// put are the commands that copy some files of a repository.
func (m Mirror) put(repository string, files []string) (commands []string) {
	for _, file := range files {
		commands = append(commands,
			fmt.Sprintf("put %s -o %s", quote(filepath.Join(repository, file)), quote(m.Folder+"/"+file)))
	}
	return commands
}

// reverse are the commands that bring folders there to what they are here.
func (m Mirror) reverse(repository, options string, folders ...string) (commands []string) {
	for _, folder := range folders {
		commands = append(commands, fmt.Sprintf("mirror --reverse %s %s %s", both+options,
			quote(filepath.Join(repository, folder)), quote(m.Folder+"/"+folder)))
	}
	return commands
}

// copy are the commands that copy all of a repository that is not there yet.
func (m Mirror) copy(repository string, config bool) []string {
	commands := m.reverse(repository, "", folders...)
	if config { // the last one: now it is a repository
		commands = append(commands, m.put(repository, []string{"config"})...)
	}
	return commands
}

// remove are the commands that delete there what the repository has no more: what refers to others goes first. Keys
// stay.
func (m Mirror) remove(repository string) []string {
	return m.reverse(repository, " --delete", "snapshots", "index", "data")
}

// Put copies some files of the repository in a folder, in this order.
func (m Mirror) Put(ctx context.Context, repository string, files []string) error {
	if len(files) == 0 {
		return nil
	}
	_, err := m.run(ctx, "the copy to the mirror", moves, m.put(repository, files)...)
	return err
}

// Copy copies what the mirror has not of the repository in a folder: data first, then what
// refers to them, so that whatever interrupts it, what is there is a repository. config
// says that its config is to be copied too, where none is there.
func (m Mirror) Copy(ctx context.Context, repository string, config bool) error {
	_, err := m.run(ctx, "the copy to the mirror", moves, m.copy(repository, config)...)
	return err
}

// Remove deletes what the repository in a folder has no more.
func (m Mirror) Remove(ctx context.Context, repository string) error {
	_, err := m.run(ctx, "the copy to the mirror", moves, m.remove(repository)...)
	return err
}

// Get has a file of the repository from there.
func (m Mirror) Get(ctx context.Context, file, to string) error {
	_, err := m.run(ctx, "the copy from the mirror", moves,
		fmt.Sprintf("get %s -o %s", quote(m.Folder+"/"+file), quote(to)))
	return err
}

// Size returns how many bytes the repository has there; 0 where the mirror does not tell.
func (m Mirror) Size(ctx context.Context) (int64, error) {
	out, err := m.run(ctx, "asking the mirror", moves, "du -bs "+quote(m.Folder))
	if words := strings.Fields(string(out)); err == nil && len(words) > 0 {
		if n, err := strconv.ParseInt(words[0], 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, err
}

// Fetch has all of the repository from there that is not in a folder yet.
func (m Mirror) Fetch(ctx context.Context, to string) error {
	_, err := m.run(ctx, "the copy from the mirror", moves,
		fmt.Sprintf("mirror %s --no-symlinks %s %s", both, quote(m.Folder), quote(to)))
	return err
}
