package rollout

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestADeploymentIsExplainedStepByStepAndNothingIsDone(t *testing.T) {
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			world, d := w.before(t)
			d.Name, d.What = "production", "deploy"
			were, calls := world.state(), len(world.calls.Made())
			entries, err := os.ReadDir(d.Folder)
			if err != nil {
				t.Fatal(err)
			}
			lines, err := Explain(t.Context(), d, world, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			now, _ := os.ReadDir(d.Folder)
			if world.state() != were || len(now) != len(entries) || world.backups != 0 {
				t.Errorf("it has done something:\n%s\nwas\n%s", world.state(), were)
			}
			for _, call := range world.calls.Made()[calls:] {
				if slices.ContainsFunc(
					[]string{"up", "pull", "tag", "drain", "close", "open", "backup"},
					func(does string) bool {
						return strings.HasPrefix(call, does)
					},
				) {
					t.Errorf("it calls %s", call)
				}
			}
			text := strings.Join(lines, "\n")
			if !strings.Contains(text, " 1. ") || !strings.Contains(text, "Nothing of it is done now") ||
				strings.Contains(text, "%!") {
				t.Errorf("it says\n%s", text)
			}
			if w.gapless && strings.Contains(w.name, "takes over") && !strings.Contains(
				text,
				"--file docker-compose.next.yml up --detach --no-deps --no-recreate --scale django=2 django",
			) {
				t.Errorf("the command is not in\n%s", text)
			}
		})
	}
}
