package docker

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// TCPState is the state of a connection, by the kernel's number (include/net/tcp_states.h).
type TCPState int

// Those that matter here.
const (
	Established TCPState = 1
	SynSent     TCPState = 2
	SynRecv     TCPState = 3
	FinWait1    TCPState = 4
	FinWait2    TCPState = 5
	TimeWait    TCPState = 6
	CloseWait   TCPState = 8
	Listen      TCPState = 10
)

// Connection is a line of /proc/PID/net/tcp or tcp6.
type Connection struct {
	Local, Remote netip.AddrPort
	State         TCPState
}

// Open reports whether something may still come over the connection.
func (c Connection) Open() bool {
	return slices.Contains([]TCPState{Established, SynRecv, FinWait1, CloseWait}, c.State)
}

// ParseConnections reads such a table (proc(5)).
func ParseConnections(text string) ([]Connection, error) {
	var all []Connection
	for i, line := range strings.Split(strings.TrimSpace(text), "\n") {
		fields := strings.Fields(line)
		if i == 0 || len(fields) == 0 {
			continue // the head of the table
		}
		if len(fields) < 4 {
			return nil, fmt.Errorf("line %d of the table of connections has %d fields", i+1, len(fields))
		}
		local, err := endpoint(fields[1])
		if err != nil {
			return nil, err
		}
		remote, err := endpoint(fields[2])
		if err != nil {
			return nil, err
		}
		state, err := strconv.ParseInt(fields[3], 16, 0)
		if err != nil {
			return nil, err
		}
		all = append(all, Connection{Local: local, Remote: remote, State: TCPState(state)})
	}
	return all, nil
}

// endpoint reads ADDRESS:PORT in hexadecimal. Of the address, each group of four bytes is in the order of the
// machine, which is the little end first on all that this is built for.
func endpoint(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(address)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of a connection", text)
	}
	for group := range slices.Chunk(raw, 4) {
		slices.Reverse(group)
	}
	a, ok := netip.AddrFromSlice(raw)
	p, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of a connection", text)
	}
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), nil
}
