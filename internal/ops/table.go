package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Show prints [Status] as tables of instances and of their servers' disks, or
// as JSON. The last line sums up; it is the error where an instance is not
// well, so that the exit status tells scripts.
func Show(ctx context.Context, name string, asJSON bool) error {
	rows, err := Status(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		err = console.JSON(jsonRows(rows))
	} else {
		err = show(rows, time.Now())
	}
	if err != nil {
		return err
	}
	line, well := summary(rows)
	if !well {
		return errors.New(line)
	}
	if !asJSON {
		console.Summary("%s", line)
	}
	return nil
}

// jsonRows returns the rows with lists that are empty where nothing is in them.
func jsonRows(rows []Row) []Row {
	list := []Row{}
	for _, r := range rows {
		r.Problems, r.Containers = append([]string{}, r.Problems...), append([]hostapi.Container{}, r.Containers...)
		r.Timers, r.Disks = append([]hostapi.Timer{}, r.Timers...), append([]hostapi.Disk{}, r.Disks...)
		list = append(list, r)
	}
	return list
}

func show(rows []Row, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	if err := console.Table(instances(rows, now)...); err != nil {
		return err
	}
	if table := servers(rows); len(table) > 1 {
		fmt.Println()
		if err := console.Table(table...); err != nil {
			return err
		}
	}
	for _, note := range notes(rows, now) {
		console.Say("%s", note)
	}
	return nil
}

// instances returns the table of instances, at most 160 columns wide for names
// of the usual length.
func instances(rows []Row, now time.Time) [][]string {
	table := [][]string{
		{"INSTANCE", "SERVER", "STATE", "RUNNING", "IMAGE", "COMMIT", "UP", "HTTP", "CERT", "BACKUP", "NEXT"},
	}
	for _, r := range rows {
		table = append(table, cells(r.Instance, machine(r.Server), r.stateCell(), r.runningCell(), tag(r.Image),
			short(r.Commit), since(r.UpSince, now), r.httpCell(), r.certificateCell(now), r.backupCell(now), r.timersCell(now)))
	}
	return table
}

// machine returns a server without the user.
func machine(server string) string { return server[strings.LastIndexByte(server, '@')+1:] }

// tag returns an image without its registry and folders, and a digest's
// beginning.
func tag(image string) string {
	image = image[strings.LastIndexByte(image, '/')+1:]
	if name, digest, ok := strings.Cut(image, "sha256:"); ok {
		return name + digest[:min(len(digest), 12)]
	}
	return image
}

func since(t hostapi.Moment, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return console.Span(now.Sub(t.Time))
}

// stateCell shows what is not well in capitals, since it may have no colour.
func (r Row) stateCell() string {
	state := string(r.State)
	if r.State == NotWell || r.State == Unreachable {
		state = strings.ToUpper(state)
	}
	if r.Lock != nil {
		state += ", locked"
	}
	if r.Maintenance {
		state += ", maintenance"
	}
	return state
}

// runningCell counts the services that do their work.
func (r Row) runningCell() string {
	services, good := bestOf(r.Containers), 0
	for _, c := range services {
		if well(c) {
			good++
		}
	}
	if len(services) == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", good, len(services))
}

func (r Row) httpCell() string {
	h := r.HTTP
	if h == nil {
		return ""
	}
	text := "none"
	if h.Status != 0 {
		text = fmt.Sprintf("%d %dms", h.Status, int(h.Seconds*1000))
	}
	if h.From == "server" {
		text += "*"
	}
	return text
}

func (r Row) certificateCell(now time.Time) string {
	switch {
	case r.HTTP == nil || r.HTTP.Expires.IsZero():
		return ""
	case r.HTTP.Expires.Before(now):
		return "EXPIRED"
	case !r.HTTP.Trusted:
		return "UNTRUSTED"
	}
	return console.Span(r.HTTP.Expires.Sub(now))
}

func (r Row) backupCell(now time.Time) string {
	switch b := r.Backup; {
	case b == nil:
		return ""
	case !b.SetUp:
		return "not set up"
	case b.Error != "":
		return "UNREADABLE"
	case b.Last.IsZero():
		return "none yet"
	case b.Log != nil && b.Log.Until.IsZero():
		return since(b.Last, now) + ", NO log"
	case b.Log != nil: // how much would be lost with the data's disk, and with the server
		elsewhere := "all"
		if at := b.Log.Elsewhere(b.Mirrored); !at.IsZero() {
			elsewhere = console.Span(now.Sub(at))
		}
		return fmt.Sprintf("%s, log %s/%s", since(b.Last, now), console.Span(now.Sub(b.Log.Until)), elsewhere)
	default:
		return since(b.Last, now)
	}
}

func (r Row) timersCell(now time.Time) string {
	var list []string
	for _, t := range r.Timers {
		if !t.Next.IsZero() {
			list = append(list, t.Name+" "+console.Span(t.Next.Sub(now)))
		}
	}
	if !r.RemoveAt.IsZero() {
		word := "removal "
		if r.RemoveAt.Before(now) {
			word = "removal was due "
		}
		list = append(list, word+console.Span(r.RemoveAt.Sub(now)))
	}
	return strings.Join(list, ", ")
}

// servers returns the table of the servers' disks.
func servers(rows []Row) [][]string {
	var paths []string
	disks := map[string][]hostapi.Disk{}
	var names []string
	for _, r := range rows {
		if len(r.Disks) == 0 || disks[r.Server] != nil {
			continue
		}
		disks[r.Server] = r.Disks
		names = append(names, r.Server)
		for _, d := range r.Disks {
			if !slices.Contains(paths, d.Path) {
				paths = append(paths, d.Path)
			}
		}
	}
	table := [][]string{append([]string{"SERVER"}, paths...)}
	for _, name := range names {
		row := []string{machine(name)}
		for _, p := range paths {
			cell := ""
			if i := slices.IndexFunc(disks[name], func(d hostapi.Disk) bool { return d.Path == p }); i >= 0 {
				d := disks[name][i]
				cell = fmt.Sprintf("%d %% of %d GiB, %.1f free", d.Used, d.Size>>30, float64(d.Free)/(1<<30))
			}
			row = append(row, cell)
		}
		table = append(table, cells(row...))
	}
	return table
}

// notes says in lines what has no place in the table.
func notes(rows []Row, now time.Time) []string {
	var list, incomplete []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	said := map[string]bool{} // a server that is down is the same news for all that is on it
	starred := false
	for _, r := range rows {
		starred = starred || r.HTTP != nil && r.HTTP.From == "server"
		if len(r.EnvProblems) > 0 {
			incomplete = append(incomplete, r.Instance)
		}
		if r.Lock != nil {
			say("%s is locked by %s: %s, for %s", r.Instance, r.Lock.Who, r.Lock.What, since(r.Lock.Since, now))
		}
		if r.Error != "" && !said[r.Server+r.Error] {
			said[r.Server+r.Error] = true
			say("%s: %s", r.Instance, r.Error)
		}
		if r.Backup != nil && r.Backup.Error != "" {
			say("%s's backups: %s", r.Instance, r.Backup.Error)
		}
		if r.HTTP != nil && r.HTTP.Error != "" {
			say("%s: %s: %s", r.Instance, r.URL, r.HTTP.Error)
		}
	}
	if starred {
		say("* asked on its server: the name is not known here")
	}
	if len(incomplete) > 0 {
		say("variables are missing or malformed here, which keeps nobody from looking: %s\n"+
			"hint: mage env:show INSTANCE", strings.Join(incomplete, ", "))
	}
	for i, note := range list {
		lines := strings.Split(note, "\n")
		for j, line := range lines {
			lines[j] = plain(line)
		}
		list[i] = strings.Join(lines, "\n")
	}
	return list
}

// summary says in a line how all stands, and whether all that is deployed is
// well.
func summary(rows []Row) (line string, allWell bool) {
	well := 0
	var not, absent []string
	for _, r := range rows {
		switch r.State {
		case Well:
			well++
		case NotDeployed:
			absent = append(absent, r.Instance)
		default:
			not = append(not, fmt.Sprintf("%s (%s)", r.Instance, plain(strings.Join(r.Problems, ", "))))
		}
	}
	noun := "instances"
	if len(rows) == 1 {
		noun = "instance"
	}
	line = fmt.Sprintf("%d %s: %d well", len(rows), noun, well)
	if len(absent) > 0 {
		line += fmt.Sprintf(", %d not deployed", len(absent))
	}
	if len(not) > 0 {
		line += fmt.Sprintf(", %d not: %s", len(not), strings.Join(not, ", "))
	}
	return line, len(not) == 0
}
