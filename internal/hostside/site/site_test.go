package site

import (
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

func TestOnlyACrashWhileWeLookIsOne(t *testing.T) {
	for name, c := range map[string]struct {
		met, now docker.Container
		says     string
	}{
		"runs":                               {docker.Container{Running: true}, docker.Container{Running: true}, ""},
		"was restarted by us, or a week ago": {docker.Container{Running: true, Restarts: 1}, docker.Container{Running: true, Restarts: 1}, ""},
		"crashes":                            {docker.Container{Running: true, Restarts: 1}, docker.Container{Running: true, Restarts: 2}, "it crashes"},
		"is between two starts":              {docker.Container{Running: true}, docker.Container{Restarts: 1}, "it crashes"},
		"has ended":                          {docker.Container{Running: true}, docker.Container{}, "it does not run any more"},
		"had ended before":                   {docker.Container{}, docker.Container{}, "it does not run any more"},
	} {
		said := ""
		if err := lives(c.met, c.now); err != nil {
			said = err.Error()
		}
		if said != c.says {
			t.Errorf("one that %s: %q, not %q", name, said, c.says)
		}
	}
}
