package console

import "time"

// Narrator says what somebody else says, a line at a time, and gives a sign of life
// where there is none for long.
type Narrator struct {
	name  string
	every time.Duration
	still func()
}

// Narrate begins it: name is before each line, every how often life is shown.
func Narrate(name string, every time.Duration) *Narrator {
	return &Narrator{name, every, Pulse(every, Say, name)}
}

// Say says a line.
func (n *Narrator) Say(line string) {
	n.End()
	line = n.name + ": " + line
	Say("%s", line)
	n.still = Pulse(n.every, Say, line)
}

// End ends the signs of life, until a line is said again.
func (n *Narrator) End() {
	n.still()
	n.still = func() {}
}
