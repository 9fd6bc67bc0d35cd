package backup

import (
	"archive/tar"
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/target"
)

// Fetch copies a snapshot of an instance, an id of [Snapshots] or "latest", to
// this machine, still encrypted: to a folder that is not there yet or empty,
// backups/INSTANCE-SNAPSHOT where to is empty. That becomes a restic repository,
// which holds the snapshot alone and opens with the instance's RESTIC_PASSWORD.
//
// The folder is there once all of it is, checked and on the disk; until then it
// is TO.part, which goes if anything fails.
func Fetch(ctx context.Context, name, snapshot, to string) error {
	inst, err := instance.Locate(name)
	problems := []error{checkID(name, snapshot), err}
	if to == "" && inst != nil && snapshot != "latest" && problems[0] == nil {
		to = place(inst.Name, snapshot)
	}
	if to != "" {
		problems = append(problems, vacant(to))
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return with(ctx, name, func(s *target.Target) error {
		if err := s.Has("export.sh", "can't export its snapshots", "deploy it"); err != nil {
			return err
		}
		ctx, stop := console.Interruptible(ctx)
		defer stop()
		out := s.Exec(s.Folder+"/export.sh", "--lines", snapshot)
		defer out.Close()
		// Who reads is woken up; the server ends what nobody listens to.
		defer context.AfterFunc(ctx, func() { out.Close() })()
		f := &fetch{name: s.Name, to: to, in: bufio.NewReaderSize(out, 1<<16), start: time.Now()}
		err := f.chosen()
		what := "fetchBackup " + cmp.Or(f.snapshot, snapshot)
		err = s.Audited(target.Operator(), what, func() error {
			if err == nil {
				err = f.run()
			}
			if err != nil && ctx.Err() != nil {
				return context.Canceled
			}
			return told(err)
		})
		switch {
		case f.done && err != nil:
			return fmt.Errorf("%s is here, but: %w", f.to, err)
		case errors.Is(err, context.Canceled):
			return fmt.Errorf("%s: %s was interrupted; %s", s.Name, what, f.left)
		case err != nil:
			return fmt.Errorf("%s: %s failed; %s: %w", s.Name, what, f.left, err)
		}
		password := inst.From("RESTIC_PASSWORD")
		if inst.Get("RESTIC_PASSWORD") == "" {
			password = name + "'s secrets"
		}
		took := time.Since(f.start).Round(100 * time.Millisecond)
		console.Done("%s: snapshot %s is in %s, still encrypted (%s, %s); with the RESTIC_PASSWORD of %s it opens: %s",
			s.Name, f.snapshot, f.to, human(f.bytes), took, password, local.Quote("restic", "--repo", f.to, "snapshots"))
		return nil
	})
}

// place returns where a snapshot of an instance is put, unless it is said.
func place(name, snapshot string) string { return filepath.Join("backups", name+"-"+snapshot[:8]) }

// told returns err as the script on the server itself says why it failed, if it
// does.
func told(err error) error {
	if err == nil {
		return nil
	}
	var why string
	for line := range strings.Lines(err.Error()) {
		explains(strings.TrimSuffix(line, "\n"), &why)
	}
	switch {
	case why != "":
	case local.ExitCode(err) > 0:
		why = strings.NewReplacer(":\n", ": ", "\n", "; ").Replace(err.Error()) // the audit log has one line
	default:
		return err
	}
	return &failure{why, err}
}

// fetch is a snapshot on its way to this machine.
type fetch struct {
	name  string // the instance's
	to    string // the folder; empty until it is known
	in    *bufio.Reader
	start time.Time

	snapshot string // the first 8 digits
	bytes    int64  // of all files
	done     bool   // all of it is there
	left     string // what became of what had come
}

// Lines of export.sh that are not for people.
var (
	chosenLine = regexp.MustCompile(`^snapshot ([0-9a-f]{64})$`)
	aboutLine  = regexp.MustCompile(`^about ([0-9]{1,15})$`)
	tarLine    = regexp.MustCompile(`^tar ([0-9]{1,15}) ([0-9]{1,9})$`)
)

// until shows the lines that the server says, and a sign of life where there are
// none for long, until one that matches. It returns what the groups of that
// have.
func (f *fetch) until(wanted *regexp.Regexp) ([]string, error) {
	aloud := narrate(f.name)
	defer aloud.End()
	for {
		text, err := f.in.ReadSlice('\n')
		line := strings.TrimSuffix(string(text), "\n")
		switch {
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("the server ended without %q", wanted)
		case err != nil: // also a line that does not end
			return nil, err
		}
		if found := wanted.FindStringSubmatch(line); found != nil {
			return found[1:], nil
		}
		aloud.Say(line)
	}
}

// chosen waits until it is known which snapshot comes.
func (f *fetch) chosen() error {
	f.left = "nothing has come"
	found, err := f.until(chosenLine)
	if err == nil {
		f.snapshot = found[0][:8]
	}
	return err
}

// run has the rest, and puts it where it belongs.
func (f *fetch) run() error {
	if f.to == "" {
		f.to = place(f.name, f.snapshot)
		if err := vacant(f.to); err != nil {
			return err
		}
	}
	var err error
	if f.to, err = filepath.Abs(f.to); err != nil {
		return err
	}
	part, err := claim(f.to + ".part")
	if err != nil {
		return err
	}
	defer part.Close()
	if err := f.fill(part.Name()); err != nil {
		f.left = part.Name() + " is removed"
		if err := os.RemoveAll(part.Name()); err != nil {
			f.left = "what has come could not be removed: " + err.Error()
		}
		return err
	}
	f.done = true
	return nil
}

// fill has the repository in the folder part, and gives it its name.
func (f *fetch) fill(part string) error {
	found, err := f.until(aboutLine)
	if err != nil {
		return err
	}
	// It may become smaller than it is on the server, so this refuses nothing.
	if err := room(part, number(found[0])); err != nil {
		console.Say("%s: it may be too much: %v", f.name, err)
	}
	if found, err = f.until(tarLine); err != nil {
		return err
	}
	files := int(number(found[1]))
	f.bytes = number(found[0])
	// A file takes whole blocks, and there are folders.
	if err := room(part, f.bytes+int64(files+300)*4096); err != nil {
		return err
	}
	console.Say("%s: fetching snapshot %s to %s: %s in %d files", f.name, f.snapshot, f.to, human(f.bytes), files)
	root, err := os.OpenRoot(part)
	if err != nil {
		return err
	}
	defer root.Close()
	var came atomic.Int64
	quiet := progress(f.name, &came, f.bytes)
	err = unpack(f.in, root, f.bytes, files, &came)
	quiet()
	if err != nil {
		return err
	}
	if err := vacant(f.to); err != nil {
		return err
	}
	// It is empty, or not there.
	if err := os.Remove(f.to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(part, f.to); err != nil {
		return err
	}
	return flush(os.Open, filepath.Dir(f.to))
}

// progress says every 10 s how much of the bytes came, until the function it
// returns is called.
func progress(name string, came *atomic.Int64, bytes int64) (stop func()) {
	const interval = 10 * time.Second
	began, last := time.Now(), int64(0)
	say := func(string, ...any) {
		now := came.Load()
		line := fmt.Sprintf("%s: %s of %s (%d %%), %s/s", name, human(now), human(bytes), 100*now/max(bytes, 1),
			console.Bytes(float64(now-last)/interval.Seconds()))
		if now > 0 {
			all := time.Duration(float64(time.Since(began)) * float64(bytes) / float64(now))
			line += ", done at about " + began.Add(all).Format("15:04:05")
		}
		console.Say("%s", line)
		last = now
	}
	return console.Pulse(interval, say, name)
}

func human(bytes int64) string { return console.Bytes(float64(bytes)) }

func number(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) // a pattern has seen it
	return n
}

// vacant returns an error unless a folder can be put at the path to: nothing is
// there, or an empty folder.
func vacant(to string) error {
	info, err := os.Lstat(to)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is there already, and is no folder", to)
	}
	entries, err := os.ReadDir(to)
	switch {
	case err != nil:
		return err
	case len(entries) > 0:
		return fmt.Errorf("%s is there already, and not empty\nhint: -to=FOLDER says where else; or remove it", to)
	}
	if above, err := os.Stat(filepath.Dir(filepath.Clean(to))); err != nil || device(above) != device(info) {
		return fmt.Errorf("%s is where a disk is mounted\nhint: -to=%s/FOLDER", to, strings.TrimSuffix(to, "/"))
	}
	return nil
}

func device(info fs.FileInfo) uint64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Dev)
	}
	return 0
}

// room returns an error if the file system of folder has less than bytes free.
func room(folder string, bytes int64) error {
	var stat syscall.Statfs_t
	if err := syscall.Statfs(folder, &stat); err != nil {
		return fmt.Errorf("%s: its disk can't be looked at: %w", folder, err)
	}
	if free := int64(stat.Bavail) * int64(stat.Bsize); free < bytes {
		return fmt.Errorf("the disk of %s has %s free, and %s are needed\n"+
			"hint: -to=FOLDER says where else", folder, human(free), human(bytes))
	}
	return nil
}

// claim makes the folder part for us alone, and returns it open: who closes it
// gives it free. What a run that was killed has left there is removed.
func claim(part string) (claimed *os.File, err error) {
	if err := os.MkdirAll(part, 0o700); err != nil {
		return nil, err
	}
	folder, err := os.Open(part)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			folder.Close()
		}
	}()
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, fmt.Errorf("%s is being written by another: %w", part, err)
	}
	entries, err := os.ReadDir(part)
	if err != nil {
		return nil, err
	}
	// All of it is ours, or none is touched.
	for _, entry := range entries {
		if !slices.Contains(layout, entry.Name()) {
			return nil, fmt.Errorf("%s is there already, and holds %s, which no fetch leaves\n"+
				"hint: move it away", part, entry.Name())
		}
	}
	if len(entries) > 0 {
		console.Say("removing what a fetch that was killed has left in %s", part)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(part, entry.Name())); err != nil {
			return nil, err
		}
	}
	return folder, folder.Chmod(0o700)
}

// layout is what is in a restic repository. All but config are folders.
var layout = []string{"config", "data", "index", "keys", "locks", "snapshots"}

var (
	folderPattern = regexp.MustCompile(`^(data(/[0-9a-f]{2})?|index|keys|locks|snapshots)/?$`)
	filePattern   = regexp.MustCompile(`^(config|(data/[0-9a-f]{2}|index|keys|snapshots)/[0-9a-f]{64})$`)
)

// unpack writes a tar of a restic repository of one snapshot, so many files with
// so many bytes in all, to the folder that root is, and sees to it that all is
// on the disk. It adds to came what it has.
//
// It trusts nobody: what does not look like a restic repository is refused, and
// so is a file that is not what its name, the SHA-256 of its content, says. Of
// config there is no such name, but restic itself authenticates it.
func unpack(in io.Reader, root *os.Root, bytes int64, files int, came *atomic.Int64) error {
	folders := map[string]bool{".": true}
	kinds := map[string]int{}
	archive := tar.NewReader(in)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return cut(err)
		}
		name := header.Name
		switch {
		case header.Typeflag == tar.TypeDir && folderPattern.MatchString(name):
			name = strings.TrimSuffix(name, "/")
			if err := below(root, name, folders); err != nil {
				return err
			}
			continue
		case header.Typeflag != tar.TypeReg || !filePattern.MatchString(name) || !homely(name):
			return fmt.Errorf("the server sends %q (type %q), which belongs to no restic repository", name, header.Typeflag)
		}
		bytes -= header.Size
		if files--; files < 0 || bytes < 0 {
			return errors.New("the server sends more than it has said")
		}
		if err := below(root, filepath.Dir(name), folders); err != nil {
			return err
		}
		if err := write(root, name, archive, came); err != nil {
			return err
		}
		kind, _, _ := strings.Cut(name, "/")
		kinds[kind]++
	}
	// What follows the end of the tar is padding; what follows that, how the
	// server ended.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return cut(err)
	}
	switch {
	case files != 0 || bytes != 0:
		return fmt.Errorf("%d files, %s, did not come", files, human(bytes))
	case slices.Contains([]int{kinds["config"], kinds["keys"], kinds["index"], kinds["data"]}, 0), kinds["snapshots"] != 1:
		return fmt.Errorf("what came is no repository of one snapshot: %v", kinds)
	}
	for folder := range folders {
		if err := flush(root.Open, folder); err != nil {
			return err
		}
	}
	return nil
}

// homely reports whether a file of data is in the folder that begins its name.
func homely(name string) bool {
	rest, data := strings.CutPrefix(name, "data/")
	folder, file, _ := strings.Cut(rest, "/")
	return !data || strings.HasPrefix(file, folder)
}

// cut says that the data end early.
func cut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("it was cut off on its way: %w", err)
	}
	return err
}

// below makes the folder name in root, and those above it, and adds them to
// folders.
func below(root *os.Root, name string, folders map[string]bool) error {
	for ; !folders[name]; name = filepath.Dir(name) {
		if err := root.MkdirAll(name, 0o700); err != nil {
			return err
		}
		folders[name] = true
	}
	return nil
}

// write writes the file name in root, which must not be there, from in.
func write(root *os.Root, name string, in io.Reader, came *atomic.Int64) error {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(file, sum), in)
	if came.Add(n); err != nil {
		return cut(err)
	}
	if is := hex.EncodeToString(sum.Sum(nil)); name != "config" && filepath.Base(name) != is {
		return fmt.Errorf("%s was damaged on its way: its SHA-256 is %s", name, is)
	}
	return errors.Join(file.Sync(), file.Close())
}

// flush has the disk keep which files are in a folder.
func flush(open func(string) (*os.File, error), folder string) error {
	f, err := open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
