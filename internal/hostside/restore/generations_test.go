package restore

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestASwapThatTheOldRestoreWasKilledInIsUndoneFromWhereverItWas reads journals as restore.sh of commit 721196b, from
// before mrs-host, has written them, and kills that after each of its steps.
func TestASwapThatTheOldRestoreWasKilledInIsUndoneFromWhereverItWas(t *testing.T) {
	const stamp, date = "20261128T080000Z", "20261128t080000z"
	rename := func(w *world, from, to string) {
		if err := os.Rename(w.home(from), w.home(to)); err != nil {
			t.Fatal(err)
		}
	}
	type step struct {
		name string
		do   func(w *world)
	}
	swapped := func(database, kept string) func(w *world) {
		return func(w *world) {
			w.databases[kept], w.databases["mrs"] = w.databases["mrs"], w.databases[database]
			delete(w.databases, database)
		}
	}
	stops := []step{
		{"the journal has its name", func(*world) {}},
		{"the engine does not start it any more", func(w *world) { w.policy = "no" }},
		{"the application is stopped", func(w *world) { w.running = false }},
	}
	restores := append(
		slices.Clone(stops),
		step{"the databases are renamed", swapped("mrs_restore_"+date, "mrs_"+date)},
		step{"the log is moved aside", func(w *world) { rename(w, "log", "log."+stamp) }},
		step{"the new log is there", func(w *world) { rename(w, ".restore-"+stamp+"/log", "log") }},
		step{
			"the attachments are moved aside",
			func(w *world) { rename(w, "mrsattachments", "mrsattachments."+stamp) },
		},
		step{
			"the new attachments are there",
			func(w *world) { rename(w, ".restore-"+stamp+"/mrsattachments", "mrsattachments") },
		},
		step{"it is started", func(w *world) { w.running, w.policy = true, "always" }},
	)
	copies := append(slices.Clone(stops),
		step{"the databases are renamed", swapped("mrs_copy_"+date, "mrs_before_"+date)},
		step{"it is started", func(w *world) { w.running, w.policy = true, "always" }},
		step{"the picture is there", func(w *world) { w.write("home/mrsattachments/1x1.png", "pixel") }})
	for _, c := range []struct {
		journal, mark, database string
		steps                   []step
	}{
		{"swap.restore", "restore", "mrs_restore_" + date, restores},
		{"swap.copy", "copy", "mrs_copy_" + date, copies},
	} {
		for n := range c.steps {
			t.Run(c.journal+", "+c.steps[n].name, func(t *testing.T) {
				w := newWorld(t)
				w.databases = map[string]string{"mrs": "old", c.database: "new"}
				for _, file := range []string{"log/mrs.log", "mrsattachments/1.pdf"} {
					if c.mark == "restore" {
						w.write("home/.restore-"+stamp+"/"+file, "new")
					}
				}
				text, err := os.ReadFile("../generation/testdata/721196b/" + c.journal)
				if err != nil {
					t.Fatal(err)
				}
				w.write(
					"home/.restore.swap",
					strings.ReplaceAll(string(text), "/home/mrs-production", w.path("home")),
				)
				w.write("home/.running."+c.mark, "1764370800\n"+map[string]string{"copy": c.database + "\n"}[c.mark])
				for _, s := range c.steps[:n+1] {
					s.do(w)
				}
				w.must(reclaim)
				if w.has() != before || w.is(swapFile) || w.is(".running."+c.mark) || len(w.left()) > 0 {
					t.Errorf("the application has %s; left: %v", w.has(), w.left())
				}
				if len(w.databases) != 1 || !strings.Contains(last(w.ledger()), `"killed, or the power went"`) {
					t.Errorf("there are %v; written down is %s", w.databases, last(w.ledger()))
				}
			})
		}
	}
}
