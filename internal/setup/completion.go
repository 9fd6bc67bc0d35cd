package setup

import (
	"embed"
	"errors"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

//go:embed completion
var completion embed.FS

// InstallCompletion has bash, zsh and fish complete the targets and the instances behind
// mage, for this user: each gets a file where it looks for such, or can be told to. No
// file of the user's own is changed.
func InstallCompletion() error {
	data, config, home := os.Getenv("XDG_DATA_HOME"), os.Getenv("XDG_CONFIG_HOME"), os.Getenv("HOME")
	if home == "" {
		return errors.New("no home to install completion in\nhint: set HOME")
	}
	if data == "" {
		data = filepath.Join(home, ".local", "share")
	}
	if config == "" {
		config = filepath.Join(home, ".config")
	}
	functions := filepath.Join(data, "zsh", "site-functions")
	for name, path := range map[string]string{
		"mage.bash": filepath.Join(data, "bash-completion", "completions", "mage"),
		"mage.zsh":  filepath.Join(functions, "_mage"),
		"mage.fish": filepath.Join(config, "fish", "completions", "mage.fish"),
	} {
		text, err := completion.ReadFile("completion/" + name)
		if err != nil {
			return err
		}
		if err := local.WriteFile(path, string(text), 0o644); err != nil {
			return err
		}
		console.Say("%s", path)
	}
	console.Say("zsh finds it if ~/.zshrc has, before compinit: fpath=(%s $fpath)", functions)
	if _, err := exec.LookPath("mage"); err != nil {
		console.Say("there is no command mage here: in ~/.bashrc, ~/.zshrc or config.fish, alias mage='go tool mage'")
	}
	console.Done("completion is there for each shell that is started from now on")
	return nil
}
