package restore

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
)

// Swap is what a swap moves, and so how it is undone. It is written down as a shell reads it,
// since restore.sh once did: what one of that kind has begun is undone by this program, too.
type Swap struct {
	Stamp       string   // of the dated names of what was there
	Beside      string   // the folder for what came beside, and for what is moved back
	Database    string   // that takes the live one's place
	Kept        string   // how that is called then
	LiveDump    string   // the folder of the host that PostgreSQL has as /dump
	Restarts    string   // the restart policy of the application
	Placeholder bool     // a picture was put where there was none
	Folders     []string // that are replaced
	Moves       []Move   // what else of the home is replaced, PostgreSQL's data folder with it: no database is, then
	Started     bool     // the site has been started on it: people may have used it
	// What is said of one that is done: its snapshot, what was asked for alone, and globals.json of the dump.
	Snapshot, Only, Properties string
}

// Move is what takes the place of something in the home, and goes back to where it came from. Both are paths below it.
type Move struct{ Path, From string }

// Dated is how what was there is called once it is moved: in the home itself, wherever it was.
func (s Swap) Dated(m Move) string { return strings.ReplaceAll(m.Path, "/", "-") + "." + s.Stamp }

// What is how the run is called that swaps.
func (s Swap) What() string {
	if len(s.Moves) > 0 {
		return Upgrade
	}
	return "restore"
}

// Upgrade is the run that replaces the data folder of PostgreSQL (package upgrade).
const Upgrade = "upgrade"

// aside are the folders as they are called once they are moved.
func (s Swap) aside() string {
	var names []string
	for _, folder := range s.Folders {
		names = append(names, folder+"."+s.Stamp)
	}
	for _, m := range s.Moves {
		names = append(names, s.Dated(m))
	}
	return strings.Join(names, " ")
}

// String is the journal.
func (s Swap) String() string {
	placeholder, started, quote := "", "", func(text string) string { return hostapi.Quote(text) }
	if s.Placeholder {
		placeholder = "missing"
	}
	if s.Started {
		started = "started=yes\n"
	}
	var moves []string
	for _, m := range s.Moves {
		moves = append(moves, m.Path+":"+m.From)
	}
	if len(moves) > 0 {
		started = "moves=(" + strings.Join(moves, " ") + ")\n" + started
	}
	return fmt.Sprintf("stamp=%s\nbeside=%s\ndatabase=%s\nkept=%s\n",
		quote(s.Stamp), quote(s.Beside), quote(s.Database), quote(s.Kept)) +
		fmt.Sprintf("live_dump=%s\nrestarts=%s\nplaceholder=%s\nfolders=(%s)\n",
			quote(s.LiveDump), quote(s.Restarts), quote(placeholder), strings.Join(s.Folders, " ")) +
		fmt.Sprintf("snapshot=%s\nonly=%s\nproperties=%s\n%s",
			quote(s.Snapshot), quote(s.Only), quote(oneLine(s.Properties)), started)
}

// oneLine is JSON on a line.
func oneLine(text string) string {
	var line bytes.Buffer
	if json.Compact(&line, []byte(text)) != nil {
		return "" // none, or no JSON
	}
	return line.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./@:+-]+$`)

// movable are the folders that a swap of MRS may replace; of another application it is any of
// [backup.Settings.Folders].
var movable = []string{"log", "mrsattachments", "spooler"}

// parseSwap reads a journal. A last line that the power cut short does not count.
func parseSwap(text string, folders ...string) (s Swap, err error) {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line, whole := strings.CutSuffix(line, "\n")
		if !whole {
			break
		}
		name, value, _ := strings.Cut(line, "=")
		if name == "folders" {
			s.Folders = strings.Fields(strings.Trim(value, "()"))
			continue
		}
		if name == "moves" {
			for _, word := range strings.Fields(strings.Trim(value, "()")) {
				path, from, _ := strings.Cut(word, ":")
				s.Moves = append(s.Moves, Move{path, from})
			}
			continue
		}
		if values[name], err = word(value); err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
	}
	s.Stamp, s.Beside, s.Database, s.Kept = values["stamp"], values["beside"], values["database"], values["kept"]
	s.LiveDump, s.Restarts = values["live_dump"], cmp.Or(values["restarts"], "always")
	s.Snapshot, s.Only, s.Properties = values["snapshot"], values["only"], values["properties"]
	s.Placeholder, s.Started = values["placeholder"] == "missing", values["started"] == "yes"
	switch {
	case !aStamp.MatchString(s.Stamp):
		return s, errors.New("it has no stamp")
	case filepath.Base(s.Beside) != ".restore-"+s.Stamp || !filepath.IsAbs(s.Beside):
		return s, errors.New("it names no folder of a restore")
	case (s.Database == "" || s.Kept == "") && len(s.Moves) == 0:
		return s, errors.New("it names no databases")
	}
	for _, folder := range s.Folders {
		if !slices.Contains(movable, folder) && !slices.Contains(folders, folder) {
			return s, fmt.Errorf("no swap moves %q", folder)
		}
	}
	for _, m := range s.Moves {
		for _, path := range []string{m.Path, m.From} {
			if !plainWord.MatchString(path) || !filepath.IsLocal(path) {
				return s, fmt.Errorf("no swap moves %q", path)
			}
		}
	}
	return s, nil
}

// word reads a word as bash's printf %q writes it, or between quotes.
func word(text string) (string, error) { return backup.Word(text) }
