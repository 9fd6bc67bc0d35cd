package backup

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

func TestBackupsAreReadOfAnOlderGenerationAndNotOfANewerOne(t *testing.T) {
	text, err := os.ReadFile("../hostside/generation/testdata/721196b/list.json") // as restore.sh list printed it
	if err != nil {
		t.Fatal(err)
	}
	state, err := parse(string(text))
	if err != nil || len(state.Snapshots) != 2 || len(state.Runs) != 5 || state.Snapshots[0].Cause != "timer" ||
		!state.Snapshots[0].Unchecked {
		t.Errorf("%+v, %v", state, err)
	}
	for version, ok := range map[int]bool{1: true, hostapi.Version: true, hostapi.Version + 1: false} {
		said := strings.Replace(string(text), "{", fmt.Sprintf(`{"version": %d, `, version), 1)
		_, err := parse(said)
		if (err == nil) != ok ||
			err != nil && !strings.Contains(err.Error(), fmt.Sprintf("mrs-ops of version %d", version)) {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
