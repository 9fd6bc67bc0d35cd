package restore

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	Started     bool     // the site has been started on it: people may have used it
}

// String is the journal.
func (s Swap) String() string {
	placeholder := ""
	if s.Placeholder {
		placeholder = "missing"
	}
	var text strings.Builder
	for _, line := range [][2]string{
		{"stamp", s.Stamp}, {"beside", s.Beside}, {"database", s.Database}, {"kept", s.Kept},
		{"live_dump", s.LiveDump}, {"restarts", s.Restarts}, {"placeholder", placeholder},
	} {
		fmt.Fprintf(&text, "%s=%s\n", line[0], quote(line[1]))
	}
	fmt.Fprintf(&text, "folders=(%s)\n", strings.Join(s.Folders, " "))
	if s.Started {
		text.WriteString("started=yes\n")
	}
	return text.String()
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./@:+-]+$`)

// quote returns a word that a shell reads as the text.
func quote(text string) string {
	if plainWord.MatchString(text) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// movable are the folders that a swap of MRS may replace; of another application it is any of
// [backup.Settings.Folders].
var movable = []string{"log", "mrsattachments", "spooler"}

// parseSwap reads a journal. A last line that the power cut short does not count.
func parseSwap(text string, folders ...string) (s Swap, err error) {
	for rest := text; rest != ""; {
		line, after, whole := strings.Cut(rest, "\n")
		rest = after
		if !whole {
			break
		}
		name, value, _ := strings.Cut(line, "=")
		if name == "folders" {
			s.Folders = strings.Fields(strings.Trim(value, "()"))
			continue
		}
		if value, err = word(value); err != nil {
			return s, fmt.Errorf("%s: %w", name, err)
		}
		switch name {
		case "stamp":
			s.Stamp = value
		case "beside":
			s.Beside = value
		case "database":
			s.Database = value
		case "kept":
			s.Kept = value
		case "live_dump":
			s.LiveDump = value
		case "restarts":
			s.Restarts = value
		case "placeholder":
			s.Placeholder = value == "missing"
		case "started":
			s.Started = value == "yes"
		}
	}
	switch {
	case !aStamp.MatchString(s.Stamp):
		return s, errors.New("it has no stamp")
	case filepath.Base(s.Beside) != ".restore-"+s.Stamp || !filepath.IsAbs(s.Beside):
		return s, errors.New("it names no folder of a restore")
	case s.Database == "" || s.Kept == "":
		return s, errors.New("it names no databases")
	}
	for _, folder := range s.Folders {
		if !slices.Contains(movable, folder) && !slices.Contains(folders, folder) {
			return s, fmt.Errorf("no swap moves %q", folder)
		}
	}
	if s.Restarts == "" {
		s.Restarts = "always"
	}
	return s, nil
}

// word reads a word as bash's printf %q writes it, or between single quotes.
func word(text string) (string, error) {
	var w strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "$'"):
			n, err := escaped(text[i+2:], &w)
			if err != nil {
				return "", err
			}
			i += 1 + n
		case text[i] == '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return "", errors.New("a quote is not closed")
			}
			w.WriteString(text[i+1 : i+1+end])
			i += 1 + end
		case text[i] == '\\' && i+1 < len(text):
			i++
			w.WriteByte(text[i])
		default:
			w.WriteByte(text[i])
		}
	}
	return w.String(), nil
}

// escaped reads what is between $' and ', and returns how many bytes that takes.
func escaped(text string, w *strings.Builder) (n int, err error) {
	letters := map[byte]byte{'a': 7, 'b': 8, 't': 9, 'n': 10, 'v': 11, 'f': 12, 'r': 13, 'e': 27, 'E': 27}
	for n < len(text) {
		switch c := text[n]; {
		case c == '\'':
			return n + 1, nil
		case c != '\\' || n+1 == len(text):
			w.WriteByte(c)
			n++
		case text[n+1] >= '0' && text[n+1] <= '7':
			end := n + 1
			for end < len(text) && end < n+4 && text[end] >= '0' && text[end] <= '7' {
				end++
			}
			value, err := strconv.ParseUint(text[n+1:end], 8, 8)
			if err != nil {
				return 0, err
			}
			w.WriteByte(byte(value))
			n = end
		default:
			letter := text[n+1]
			if is, ok := letters[letter]; ok {
				letter = is
			}
			w.WriteByte(letter)
			n += 2
		}
	}
	return 0, errors.New("a quote is not closed")
}
