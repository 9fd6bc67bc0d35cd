package backup

import (
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

// Shower says now and then how far something is.
type Shower struct {
	lock sync.Mutex
	Stop func() // to call once
}

// Showing says what text returns, unless that is empty, until it is stopped.
func (i *Instance) Showing(text func() string) *Shower {
	s := &Shower{}
	s.Stop = bound.Every(i.Every, func() {
		s.lock.Lock()
		line := text()
		s.lock.Unlock()
		if line != "" {
			i.Say(line)
		}
	})
	return s
}

// Update changes what text reads.
func (s *Shower) Update(do func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	do()
}

// Human is a number of bytes as numfmt --to=iec-i --suffix=B writes it: rounded up.
func Human(n int64) string {
	const units = "KMGTPE"
	if n < 1024 && n > -1024 {
		return strconv.FormatInt(n, 10) + "B"
	}
	sign, value, unit := "", float64(n), -1
	if n < 0 {
		sign, value = "-", -value
	}
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	if tenths := math.Ceil(value * 10); tenths < 100 {
		return fmt.Sprintf("%s%.1f%ciB", sign, tenths/10, units[unit])
	}
	if value = math.Ceil(value); value >= 1024 && unit < len(units)-1 {
		return fmt.Sprintf("%s1.0%ciB", sign, units[unit+1])
	}
	return fmt.Sprintf("%s%.0f%ciB", sign, value, units[unit])
}

// Far says how many bytes of how many there are, and how long the rest will take at the pace so far.
func Far(done, of int64, spent time.Duration) string {
	left := ""
	if done > 0 && of > done {
		left = fmt.Sprintf(", %d s left", int(spent.Seconds()*float64(of-done)/float64(done))+1)
	}
	return fmt.Sprintf("%s of %s%s", Human(done), Human(of), left)
}
