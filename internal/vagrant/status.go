package vagrant

import (
	"context"
	"errors"
	"strings"

	"github.com/betagouv/mrs-ops/internal/console"
)

// Machine is a machine of the Vagrantfile.
type Machine struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	State    string `json:"state"`             // in the provider's word: running, not_created, poweroff …
	Address  string `json:"address,omitempty"` // where this machine reaches it; empty where that is unknown
}

// Status returns the machines of the Vagrantfile in its order. Addresses are
// those of running machines that [SSHConfig] knows.
func Status(ctx context.Context) ([]Machine, error) {
	machines, err := states(ctx)
	if err != nil {
		return nil, err
	}
	for i, m := range machines {
		if m.running() {
			machines[i].Address = Address(ctx, m.Name)
		}
	}
	return machines, nil
}

// Show prints [Status] as a table, or as JSON.
func Show(ctx context.Context, asJSON bool) error {
	machines, err := Status(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(machines)
	}
	table := [][]string{{"MACHINE", "PROVIDER", "STATE", "ADDRESS"}}
	for _, m := range machines {
		table = append(table, []string{m.Name, m.Provider, m.State, m.Address})
	}
	return console.Table(table...)
}

// states is [Status] without the addresses.
func states(ctx context.Context) ([]Machine, error) {
	if err := need(ctx); err != nil {
		return nil, err
	}
	text, err := output(ctx, "status", "--machine-readable")
	if err != nil {
		// The reason is in what it prints, as an error of type error-exit.
		return nil, errors.Join(err, readError(text))
	}
	return parseStatus(text), nil
}

// parseStatus reads what `vagrant status --machine-readable` prints: lines of
// timestamp,machine,type,data (vagrant's "Machine Readable Output").
func parseStatus(text string) []Machine {
	var machines []Machine
	index := map[string]int{}
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ",", 4)
		if len(fields) < 4 || !namePattern.MatchString(fields[1]) {
			continue
		}
		name, kind, data := fields[1], fields[2], fields[3]
		if _, known := index[name]; !known {
			index[name] = len(machines)
			machines = append(machines, Machine{Name: name})
		}
		switch m := &machines[index[name]]; kind {
		case "provider-name":
			m.Provider = data
		case "state":
			m.State = data
		}
	}
	return machines
}

// readError returns the error that is in what vagrant prints for machines.
func readError(text string) error {
	unescape := strings.NewReplacer(`\n`, "\n", `\r`, "", "%!(VAGRANT_COMMA)", ",")
	for line := range strings.Lines(text) {
		fields := strings.SplitN(strings.TrimSpace(line), ",", 5)
		if len(fields) == 5 && fields[2] == "error-exit" {
			return errors.New(unescape.Replace(fields[4]))
		}
	}
	return nil
}

func (m Machine) running() bool { return m.State == "running" }
