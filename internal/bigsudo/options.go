package bigsudo

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/betagouv/mrs-ops/internal/local"
)

// short maps the one-letter options of ansible-playbook that matter here to
// their long names.
var short = map[byte]string{'i': "inventory"}

// flags are the one-letter options of ansible-playbook without a value: another
// may follow in the same word.
const flags = "bvhkCDK"

// given reports whether args, as ansible-playbook reads them, have the long
// option given: by its name, by the beginning of its name, or by its letter.
func given(args []string, option string) bool {
	for _, arg := range args {
		name, long := strings.CutPrefix(arg, "--")
		name, _, assigned := strings.Cut(name, "=")
		switch {
		case long:
			// A word with a space is a value (Python's argparse), and two letters
			// are the least that tell one option from another.
			if (assigned || !strings.Contains(name, " ")) && len(name) > 2 && abbreviates(name, option) {
				return true
			}
		case strings.HasPrefix(arg, "-"):
			for i := 1; i < len(arg); i++ {
				if short[arg[i]] == option {
					return true
				}
				if !strings.Contains(flags, arg[i:i+1]) {
					break // what follows is its value
				}
			}
		}
	}
	return false
}

// abbreviates reports whether name is the option or the beginning of its name.
// --inventory-file is the old name of --inventory.
func abbreviates(name, option string) bool {
	return strings.HasPrefix(option, name) || option == "inventory" && strings.HasPrefix("inventory-file", name)
}

// SSHArgs returns the options by which Ansible reads an SSH configuration in
// place of the user's own, such as .vagrant-ssh.
//
// Ansible shares connections between runs by where the host is, which may mean
// another host in another configuration: the path of the shared ones given here
// is this configuration's own.
func SSHArgs(config string) ([]string, error) {
	config, err := filepath.Abs(config)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(config); err != nil {
		return nil, fmt.Errorf("there is no such SSH configuration: %w\nhint: `mage vagrant:up` writes .vagrant-ssh", err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no folder for shared connections: %w\nhint: set HOME", err)
	}
	sockets := filepath.Join(cache, "mrs-ops", "ssh")
	if err := os.MkdirAll(sockets, 0o700); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(config))
	control := filepath.Join(sockets, fmt.Sprintf("%x-%%n-%%p-%%r", sum[:4])) // name, port, user
	// Ansible splits the value as a shell does.
	return []string{"--ssh-common-args=" + local.Quote("-F", config, "-o", "ControlPath="+control)}, nil
}
