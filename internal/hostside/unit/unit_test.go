package unit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// fake is a systemd with one unit.
type fake struct {
	absent  bool
	working bool     // before anybody asks
	states  []string // one after the other, once it has begun; the last one stays
	status  string   // ExecMainStatus
	code    string   // ExecMainCode
	refuses error    // to start
	began   int
	stopped int
	asked   []string // of the journal
	onLook  func()
	jobs    []string // one after the other
	mute    bool     // it says nothing, and does not run
	request string
}

func (f *fake) Has(context.Context, string) bool { return !f.absent }

func (f *fake) State(context.Context, string) string {
	if f.began == 0 && !f.working {
		return "inactive"
	}
	if f.onLook != nil {
		f.onLook()
	}
	state := f.states[0]
	if len(f.states) > 1 {
		f.states = f.states[1:]
	}
	return state
}

func (f *fake) Property(_ context.Context, _, name string) (string, error) {
	switch name {
	case "InvocationID":
		if f.mute {
			return "run-0", nil
		}
		return fmt.Sprintf("run-%d", f.began), nil
	case "Job":
		if len(f.jobs) == 0 || f.began == 0 && !f.working {
			return "0", nil
		}
		job := f.jobs[0]
		f.jobs = f.jobs[1:]
		if job == "" {
			return "", errors.New("no answer")
		}
		return job, nil
	case "ExecMainStatus":
		return f.status, nil
	}
	return f.code, nil
}

func (f *fake) Start(context.Context, string) error {
	if f.refuses == nil {
		f.began++
	}
	return f.refuses
}
func (f *fake) Stop(context.Context, string) error { f.stopped++; return nil }

func (f *fake) Journal(_ context.Context, out io.Writer, argv ...string) error {
	f.asked = append(f.asked, strings.Join(argv, " "))
	if !f.mute {
		_, _ = io.WriteString(out, "it says\n")
	}
	return nil
}

func give(t *testing.T, f *fake, signals ...os.Signal) (status int, handed bool, said string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { status, handed, said, err = giveNow(t, f, signals...) })
	return status, handed, said, err
}

func giveNow(t *testing.T, f *fake, signals ...os.Signal) (status int, handed bool, said string, err error) {
	t.Helper()
	folder := t.TempDir()
	var out bytes.Buffer
	var lines []string
	ch := make(chan os.Signal, len(signals))
	for _, s := range signals {
		ch <- s
	}
	o := Order{
		Unit:     "mrs-x-backup",
		Request:  filepath.Join(folder, "request"),
		Lock:     filepath.Join(folder, "lock"),
		Argument: "hand",
		Say:      func(line string) { lines = append(lines, line) },
		Out:      &out,
	}
	status, handed, err = o.Give(t.Context(), f, ch)
	request, _ := os.ReadFile(o.Request)
	f.request = string(request)
	return status, handed, strings.Join(lines, "|"), err
}

func TestAUnitIsBegunShownAndItsEndIsOurs(t *testing.T) {
	for _, c := range []struct {
		name    string
		fake    fake
		signals []os.Signal
		status  int
		stopped int
		said    string
		match   string
	}{
		{name: "it ends well", fake: fake{states: []string{"activating", "deactivating", "inactive"}},
			match: "_SYSTEMD_UNIT=mrs-x-backup.service"},
		{name: "it waits for another unit first", fake: fake{states: []string{"inactive", "inactive", "activating", "failed"}, jobs: []string{"7", "7"},
			status: "75", code: "1"}, status: 75},
		{name: "systemd does not answer once", fake: fake{states: []string{"activating", "", "activating", "failed"},
			status: "75", code: "1"}, status: 75},
		{name: "nor of what it is yet to do", fake: fake{states: []string{"inactive", "activating", "failed"},
			jobs: []string{""}, status: "75", code: "1"}, status: 75},
		{name: "somebody has begun it, and it waits", fake: fake{working: true, jobs: []string{"7"},
			states: []string{"inactive", "activating", "inactive"}}, said: "it is at work already: this is what it says",
			match: "_SYSTEMD_UNIT=mrs-x-backup.service --since"},
		{name: "it fails", fake: fake{states: []string{"activating", "failed"}, status: "75", code: "1"}, status: 75},
		{name: "it is killed", fake: fake{states: []string{"failed"}, status: "9", code: "2"}, status: 137},
		{name: "how it failed can't be read", fake: fake{states: []string{"failed"}, status: "", code: "1"}, status: 1},
		{name: "it is at work already", fake: fake{working: true, states: []string{"activating", "activating", "inactive"}},
			said:  "it is at work already: this is what it says",
			match: "_SYSTEMD_INVOCATION_ID=run-0"},
		{name: "Ctrl-C ends it", fake: fake{states: []string{"activating", "deactivating", "failed"}, status: "130",
			code: "1"}, signals: []os.Signal{os.Interrupt},
			status: 130, stopped: 1, said: "ending it"},
		{name: "Ctrl-C comes too late", fake: fake{states: []string{"activating", "deactivating", "inactive"}},
			signals: []os.Signal{os.Interrupt}, stopped: 1, said: "ending it"},
		{name: "Ctrl-C twice", fake: fake{states: []string{"activating", "deactivating", "deactivating", "failed"}, status: "1",
			code: "1"}, signals: []os.Signal{os.Interrupt, os.Interrupt}, status: 1, stopped: 1, said: "ending it"},
		{name: "Ctrl-C before it runs", fake: fake{mute: true, jobs: []string{"7"}, states: []string{"inactive"}},
			signals: []os.Signal{os.Interrupt}, status: 130, stopped: 1, said: "ending it"},
		{name: "who goes away does not end it", fake: fake{states: []string{"activating"}},
			signals: []os.Signal{syscall.SIGHUP}, status: 143},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, handed, said, err := give(t, &c.fake, c.signals...)
			if status != c.status || !handed || err != nil || c.fake.stopped != c.stopped || said != c.said {
				t.Errorf("%d, %v, %v, stopped %d times, %q", status, handed, err, c.fake.stopped, said)
			}
			if c.match != "" && !slices.ContainsFunc(c.fake.asked, func(s string) bool { return strings.Contains(s, c.match) }) {
				t.Errorf("the journal was asked for %q", c.fake.asked)
			}
			if want := map[bool]string{true: "", false: "hand\n"}[c.fake.working || c.fake.mute]; c.fake.request != want {
				t.Errorf("it was asked for %q, want %q", c.fake.request, want)
			}
		})
	}
}

func TestCtrlCEndsNobodyElsesUnit(t *testing.T) {
	f := &fake{working: true, states: []string{"activating"}}
	_, handed, _, err := give(t, f, os.Interrupt)
	if !handed || f.stopped > 0 || err == nil || err.Error() !=
		"somebody else has begun mrs-x-backup.service, and it goes on\nhint: systemctl stop mrs-x-backup.service" {
		t.Errorf("%v, %v, stopped %d times", handed, err, f.stopped)
	}
}

func TestWithoutSystemdOrAUnitNothingIsHandedOver(t *testing.T) {
	f := &fake{absent: true}
	if _, handed, _, err := give(t, f); handed || err != nil || f.began != 0 {
		t.Errorf("%v, %v, begun %d times", handed, err, f.began)
	}
	f = &fake{working: true, states: []string{"activating"}}
	o := Order{Unit: "mrs-x-restore", Lock: filepath.Join(t.TempDir(), "lock"), Refuses: true}
	_, handed, err := o.Give(t.Context(), f, nil)
	if _, is := errors.AsType[*BusyError](err); !handed || !is || len(f.asked) > 0 ||
		err.Error() != "mrs-x-restore.service is at work already\nhint: journalctl --follow --unit mrs-x-restore.service" {
		t.Errorf("one that is at work, and asked for something else: %v, %v", handed, err)
	}
	f = &fake{mute: true, states: []string{"inactive"}}
	if _, handed, _, err := give(t, f); !handed || err == nil || !strings.Contains(err.Error(), "systemd has not run mrs-x-backup.service\nhint: ") ||
		f.request != "" {
		t.Errorf("a unit that was never run: %v, %v", handed, err)
	}
	f = &fake{refuses: errors.New("it is masked")}
	if _, handed, _, err := give(t, f); !handed || err == nil || f.request != "" {
		t.Errorf("a unit that does not start: %v, %v, and the next one is asked for %q", handed, err, f.request)
	}
	f = &fake{working: true, states: []string{""}}
	if _, handed, _, err := give(t, f); !handed || err == nil || f.began > 0 ||
		err.Error() != "systemd does not answer\nhint: systemctl status mrs-x-backup" {
		t.Errorf("where systemd does not answer: %v, %v, begun %d times", handed, err, f.began)
	}
}
