package bigsudo

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/local"
)

// short maps the one-letter options of ansible-playbook that matter here to
// their long names.
var short = map[byte]string{'e': "extra-vars", 'i': "inventory", 't': "tags"}

// flags are the one-letter options of ansible-playbook without a value: another
// may follow in the same word.
const flags = "bvhkCDKJ"

// longFlags are the long options of ansible-playbook without a value.
var longFlags = strings.Fields("ask-become-pass ask-pass ask-vault-pass ask-vault-password become check diff " +
	"flush-cache force-handlers help list-hosts list-tags list-tasks step syntax-check verbose version")

// wantsValue reports whether the word is an option of ansible-playbook whose value is
// the next word.
func wantsValue(arg string) bool {
	if name, long := strings.CutPrefix(arg, "--"); long {
		return name != "" && !strings.Contains(name, "=") &&
			!slices.ContainsFunc(longFlags, func(flag string) bool { return strings.HasPrefix(flag, name) })
	}
	if !strings.HasPrefix(arg, "-") {
		return false
	}
	letters := strings.TrimLeft(arg[1:], flags)
	return len(letters) == 1
}

// given reports whether args, as ansible-playbook reads them, have the option.
func given(args []string, option string) bool {
	for range options(args, option) {
		return true
	}
	return false
}

// options ranges over the values that args, as ansible-playbook reads them, give
// the long option: by its name, by the beginning of its name, or by its letter.
// One that lacks its value has an empty one.
func options(args []string, option string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for n, arg := range args {
			value, found, assigned := in(arg, option)
			if found && !assigned && n+1 < len(args) {
				value = args[n+1]
			}
			if found && !yield(value) {
				return
			}
		}
	}
}

// in reports whether a word has the option, and whether its value too.
func in(arg, option string) (value string, found, assigned bool) {
	name, long := strings.CutPrefix(arg, "--")
	if long {
		name, value, assigned := strings.Cut(name, "=")
		// A word with a space is a value (Python's argparse), and two letters
		// are the least that tell one option from another.
		return value, (assigned || !strings.Contains(name, " ")) && len(name) > 1 && abbreviates(name, option), assigned
	}
	if !strings.HasPrefix(arg, "-") {
		return "", false, false
	}
	for i := 1; i < len(arg); i++ {
		if short[arg[i]] == option {
			value = arg[i+1:]
			if i == 1 {
				value = strings.TrimPrefix(value, "=")
			}
			return value, true, value != ""
		}
		if !strings.Contains(flags, arg[i:i+1]) {
			break // what follows is its value
		}
	}
	return "", false, false
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
