package backup

import (
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

func TestHowMuchWouldBeLostNowIsSaid(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.Local)
	before := func(seconds int) time.Time { return now.Add(-time.Duration(seconds) * time.Second) }
	for want, c := range map[string]struct {
		log      hostapi.Log
		mirrored bool
	}{
		"the log is received, and there is no base backup yet that it goes on from": {hostapi.Log{Until: before(3)}, true},
		"any second since 2026-11-20 11:00:00 can be restored; what would be lost now is the last 3s with the data's disk, " +
			"2min with the archive's too, all with the server": {hostapi.Log{From: before(3600), Until: before(3),
			Repository: before(120)}, true},
		"any second since 2026-11-20 11:00:00 can be restored; what would be lost now is the last 3s with the data's disk, " +
			"60s with the archive's too": {hostapi.Log{From: before(3600), Until: before(3), Repository: before(60)}, false},
	} {
		if got := standing(c.log, c.mirrored, now); got != want {
			t.Errorf("it says\n%s\nnot\n%s", got, want)
		}
	}
}
