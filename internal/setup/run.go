package setup

import (
	"context"
	"time"

	"github.com/betagouv/mrs-ops/internal/local"
)

// run runs argv, which may take long, and shows what it prints only if it
// fails. The label begins the lines that say that it is still running.
func (m *machine) run(ctx context.Context, label string, argv ...string) error {
	defer m.pulsing(label)()
	_, err := local.Combined(ctx, argv...)
	return err
}

// pulsing says label and the seconds since now, again and again, until the
// function it returns is called.
func (m *machine) pulsing(label string) (stop func()) {
	began := time.Now()
	ticker := time.NewTicker(m.pulse)
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-ticker.C:
				m.say("%s: %d s", label, int(time.Since(began).Seconds()))
			case <-done:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(done)
		<-stopped
	}
}
