package bigsudo

import "strings"

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
