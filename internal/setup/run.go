package setup

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/local"
)

// run runs argv, which may take long, and shows what it prints only if it
// fails. The label begins the lines that say that it is still running.
func (m *machine) run(ctx context.Context, label string, argv ...string) error {
	defer m.pulsing(label)()
	_, err := combined(ctx, argv...)
	return err
}

// combined returns what argv prints, be it the result or the complaints. An
// error ends with the last 40 lines of it.
func combined(ctx context.Context, argv ...string) (string, error) {
	out, err := script.NewPipe().WithContext(ctx).ExecCommand(argv[0], argv[1:]...).String()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", local.Quote(argv...), err, lastLines(out, 40))
	}
	return out, err
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

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
