package check

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryOldWordOfDoNamesATargetThatThereIs(t *testing.T) {
	targets := everyTarget(t)
	for line := range strings.Lines(read(t, filepath.Join(root, "cmd", "do", "words.tsv"))) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") || len(fields) < 3 || fields[2] == "" {
			continue
		}
		if wrong := wrongWith(fields[2], targets); wrong != "" {
			t.Errorf("%s: %s", fields[0], wrong)
		}
	}
}
