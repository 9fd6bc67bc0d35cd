package check

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/cookbook"
)

// marked are where the lab runs a block of commands; papier: nowhere, since it takes somebody's real key.
var marked = []string{"serveurs", "local", "vagrant", "papier"}

// others are the commands of the page that are not the project's.
var others = []string{"ssh", "export", "install"}

var assignments = regexp.MustCompile(`^(?:[A-Za-z_]+=(?:"\$\([^)]*\)"|\S*) )*`)

// wrongLine says why a line of the page can't be typed; empty: it can.
func wrongLine(line string, targets map[string]target, words []string) string {
	line = strings.TrimPrefix(line, assignments.FindString(line))
	if rest, is := strings.CutPrefix(line, "go tool mage"); is {
		rest = strings.TrimPrefix(strings.TrimSpace(rest), "-h ")
		if rest == "" || strings.HasPrefix(line, "go tool mage -h ") && targets[rest].flags != nil {
			return ""
		}
		if wrong := wrongWith(rest, targets); wrong != "" {
			return wrong
		}
		list, _ := bigsudo.Words(rest)
		if list[0] == "vagrant:bigsudo" {
			return wrongLine("go tool bigsudo "+list[1], targets, words)
		}
		return ""
	}
	list, err := bigsudo.Words(strings.ReplaceAll(line, " | ", " "))
	if err != nil {
		return err.Error()
	}
	switch {
	case strings.HasPrefix(line, "go tool bigsudo "):
		if _, err := bigsudo.Parse(list[3:]); err != nil {
			return err.Error()
		}
	case list[0] == "./do":
		if !slices.ContainsFunc(words, func(word string) bool { return strings.HasPrefix(strings.Join(list[1:], " ")+" ", word+" ") }) {
			return "./do has no such word"
		}
	case !slices.Contains(others, list[0]):
		return list[0] + " is no command of this page"
	}
	return ""
}

// oldWords are those that ./do takes.
func oldWords(t *testing.T) (words []string) {
	for line := range strings.Lines(read(t, filepath.Join(root, "cmd", "do", "words.tsv"))) {
		if word, _, found := strings.Cut(line, "\t"); found && !strings.HasPrefix(line, "#") {
			words = append(words, word)
		}
	}
	return words
}

func TestEveryCommandOfTheFrenchPageCanBeTypedAndIsMarkedForTheLab(t *testing.T) {
	page := read(t, filepath.Join(root, "docs", "cookbook.fr.rst"))
	targets, words := everyTarget(t), oldWords(t)
	n := 0
	for _, b := range cookbook.Blocks(page) {
		if !slices.Contains(marked, b.Mark) || len(b.Lines) == 0 {
			t.Errorf("this block is marked %q, want one of %q: %q", b.Mark, marked, b.Lines)
		}
		for _, line := range b.Lines {
			n++
			if wrong := wrongLine(line, targets, words); wrong != "" {
				t.Errorf("%s\n  %s", line, wrong)
			}
		}
	}
	if n < 60 {
		t.Errorf("%d commands were read", n)
	}
	for _, m := range regexp.MustCompile("``([a-z]+:[A-Za-z]+)``").FindAllStringSubmatch(page, -1) {
		if _, there := targets[m[1]]; !there {
			t.Errorf("there is no target %s", m[1])
		}
	}
}

// The old chapter, of which a reader finds everything in the same place: docs/ops.rst of betagouv/mrs.
func TestTheFrenchPageHasTheOldChaptersOperationsInItsOrder(t *testing.T) {
	page := read(t, filepath.Join(root, "docs", "cookbook.fr.rst"))
	title := regexp.MustCompile(`(?m)^([^\n]+)\n([~=-])(?:~|=|-){2,}$`)
	var got []string
	for _, m := range title.FindAllStringSubmatch(page, -1) {
		got = append(got, m[1])
	}
	want := []string{"Opérations", "Architecture système", "Utilisateurs", "Partitions", "Services", "Architecture MRS", "Compose",
		"Docker", "Persistence", "Cron", "Opérations courantes", "Ajouter un utilisateur sudo", "Envoyer un mail de test",
		"Copier les données de prod en staging", "Développement", "Local", "Vagrant", "Passer de l'ancien système au nouveau"}
	if len(got) < len(want) || !slices.Equal(got[:len(want)], want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestALineThatCannotBeTypedIsNamed(t *testing.T) {
	targets := everyTarget(t)
	for line, want := range map[string]string{
		"go tool mage deploy:nowhere":          "no target",
		"go tool mage deploy:staging -imag=x":  "no flag",
		"go tool mage ops:logs":                "takes 1 arguments",
		"go tool bigsudo yourlabs.ssh @-x":     "no host",
		"A=b C=\"$(d e)\" go tool mage ops:no": "no target",
		"./do nosuch":                          "no such word",
		"rm -r /":                              "no command of this page",
		"go tool mage vagrant:bigsudo '@x y'":  "is none",
	} {
		if got := wrongLine(line, targets, []string{"vagrant up"}); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
