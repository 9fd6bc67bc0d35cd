package setup

import (
	"context"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// run runs argv, which may take long, and shows what it prints only if it
// fails. The label begins the lines that say that it is still running.
func (m *machine) run(ctx context.Context, label string, argv ...string) error {
	defer m.pulsing(label)()
	_, err := local.Combined(ctx, argv...)
	return err
}

// pulsing is [console.Pulse] at m's pace.
func (m *machine) pulsing(label string) (stop func()) {
	return console.Pulse(m.pulse, m.say, label)
}
