package backup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/bitfield/script"
)

func TestAnInterruptionIsForTheScriptWhichKnowsWhatItHasBegun(t *testing.T) {
	listens := filepath.Join(t.TempDir(), "listens")
	const waits = `trap 'echo "backup.sh: interrupted" >&2; exit 130' INT; : >"$0"; while :; do sleep 0.1; done`
	cmd := exec.CommandContext(t.Context(), "bash", "-c", begun, "bash", "bash", "-c", waits, listens)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	process := make(chan string, 1)
	go func() {
		id, err := strconv.Atoi(<-process)
		for err == nil {
			if _, err := os.Stat(listens); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil || syscall.Kill(id, syscall.SIGINT) != nil {
			_ = cmd.Process.Kill()
		}
	}()
	why, err := show("x", script.NewPipe().WithReader(out), process)
	_ = cmd.Wait()
	if why != "interrupted" || err != nil || cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("%q, %v, %v", why, err, cmd.ProcessState)
	}
}
