package check

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/provision"
)

// runbook is what an operator reads at three in the morning, from the project's root.
const runbook = "docs/runbook.md"

var (
	codeSpan  = regexp.MustCompile("`([^`]+)`")
	verb      = regexp.MustCompile(`%[-+#0-9.]*[a-zA-Z]`)
	letters   = regexp.MustCompile(`[a-z]{3}`)
	alarmName = regexp.MustCompile(`(?m)^\s*(?:alarm|template):\s*(\S+)`)
	unitName  = regexp.MustCompile(`\b(?:PROJECT-[a-z]+|mrs-ops-branches)\b`)
	asked     = regexp.MustCompile(`\b([a-z-]+\.sh) ([a-z]+)\b`)
	expected  = regexp.MustCompile("(?i)\\bexpect\\s+`([^`]+)`")
	document  = regexp.MustCompile(`\bdocs/[a-z]+\.md\b`)
)

// entries are what the runbook promises.
type entries struct {
	messages []string // that lead to an entry: the code spans of headings, and of sentences "Also …."
	commands []string // of mage, as they are typed
	expected []string // what is said where it went well: the code span behind "expect"
	spans    []string // all code spans
}

// readEntries reads a runbook. What is to be typed is a code span or an indented line.
func readEntries(text string) (e entries) {
	for _, m := range expected.FindAllStringSubmatch(text, -1) {
		e.expected = append(e.expected, m[1])
	}
	also := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		also = also || strings.HasPrefix(line, "Also ")
		typed := []string{}
		if code, is := strings.CutPrefix(line, "    "); is {
			code, _, _ = strings.Cut(code, " #")
			typed = append(typed, strings.TrimSpace(code))
		}
		for _, m := range codeSpan.FindAllStringSubmatch(line, -1) {
			e.spans, typed = append(e.spans, m[1]), append(typed, m[1])
			if also || strings.HasPrefix(line, "### ") {
				e.messages = append(e.messages, m[1])
			}
		}
		also = also && !strings.HasSuffix(line, ".")
		for _, words := range typed {
			if command, is := strings.CutPrefix(words, "mage "); is {
				e.commands = append(e.commands, command)
			}
		}
	}
	return e
}

// missing returns which of the messages, as the code has them, lead to no entry: none has all of their words, or begins
// as they do.
func (e entries) missing(messages []string) (none []string) {
	for _, m := range messages {
		m, _, _ = strings.Cut(strings.ReplaceAll(m, "%%", "%"), "\nhint:")
		parts := verb.Split(m, -1)
		if !letters.MatchString(strings.Join(parts, " ")) {
			continue // it passes on what another says
		}
		for i, part := range parts {
			parts[i] = regexp.QuoteMeta(part)
		}
		// What is filled in at the ends need not be there.
		all := regexp.MustCompile(strings.TrimPrefix(strings.TrimSuffix(strings.Join(parts, ".+"), ": .+"), ".+ "))
		found := func(entry string) bool {
			return all.MatchString(entry) || len(entry) > 25 && regexp.MustCompile("^"+pattern(entry)).MatchString(m)
		}
		if !slices.ContainsFunc(e.messages, found) {
			none = append(none, m)
		}
	}
	return none
}

// filled is what stands for words that the code fills in: names of services do, too.
var filled = regexp.MustCompile(`…|\b(?:django|postgres)\b`)

// pattern returns a regular expression for the texts in the code that an entry may be of.
func pattern(entry string) string {
	parts := filled.Split(entry, -1)
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(strings.TrimSpace(part))
	}
	return strings.Join(parts, ".*")
}

// unknown returns which messages nobody says: none of the code's texts has their words, in their order.
func unknown(messages, texts []string) (none []string) {
	for _, m := range messages {
		if !slices.ContainsFunc(texts, regexp.MustCompile(pattern(m)).MatchString) {
			none = append(none, m)
		}
	}
	return none
}

// target is what a target takes.
type target struct {
	arguments int
	flags     map[string]string // name -> type
}

// wrongWith says why a command of mage is none that there is; empty: it is one.
func wrongWith(command string, targets map[string]target) string {
	words, err := bigsudo.Words(command)
	if err != nil {
		return err.Error()
	}
	t, there := targets[words[0]]
	if !there {
		return "there is no target " + words[0]
	}
	arguments := 0
	for _, word := range words[1:] {
		option, isFlag := strings.CutPrefix(word, "-")
		if !isFlag {
			arguments++
			continue
		}
		name, _, hasValue := strings.Cut(option, "=")
		kind, there := t.flags[name]
		switch {
		case !there:
			return fmt.Sprintf("%s has no flag -%s", words[0], name)
		case hasValue == (kind == "bool"):
			return fmt.Sprintf("-%s of %s is a %s", name, words[0], kind)
		}
	}
	if arguments != t.arguments {
		return fmt.Sprintf("%s takes %d arguments, not %d", words[0], t.arguments, arguments)
	}
	return ""
}

// everyTarget reads the targets of the folder magefiles, as mage does: exported functions, and methods of
// namespaces; what is a pointer is a flag.
func everyTarget(t *testing.T) map[string]target {
	t.Helper()
	targets := map[string]target{}
	for _, file := range everySource(t, "magefiles") {
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || !f.Name.IsExported() {
				continue
			}
			name := lowerFirst(f.Name.Name)
			if f.Recv != nil {
				of, is := f.Recv.List[0].Type.(*ast.Ident)
				if !is {
					continue
				}
				name = lowerFirst(of.Name) + ":" + name
			}
			takes := target{flags: map[string]string{}}
			for _, field := range f.Type.Params.List {
				pointer, isFlag := field.Type.(*ast.StarExpr)
				selector, isContext := field.Type.(*ast.SelectorExpr)
				isContext = isContext && selector.Sel.Name == "Context"
				for _, parameter := range field.Names {
					switch {
					case isFlag:
						takes.flags[parameter.Name] = fmt.Sprint(pointer.X)
					case !isContext:
						takes.arguments++
					}
				}
			}
			targets[name] = takes
		}
	}
	return targets
}

// lowerFirst writes a name as mage lists it: SSH is ssh, AddUser is addUser.
func lowerFirst(name string) string {
	n := strings.IndexFunc(name, func(r rune) bool { return !unicode.IsUpper(r) })
	switch {
	case n < 0:
		n = len(name)
	case n > 1:
		n--
	}
	return strings.ToLower(name[:n]) + name[n:]
}

// everySource parses the Go files in a folder and below it, but for tests.
func everySource(t *testing.T, folder string) (files []*ast.File) {
	t.Helper()
	walk(t, folder, ".go", func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, parsed)
	})
	return files
}

// walk calls do with the files in a folder and below it that end with ext.
func walk(t *testing.T, folder, ext string, do func(file string)) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, folder), func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case !entry.IsDir() && filepath.Ext(file) == ext:
			do(file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// lines are those of the files in a folder and below it that end with ext.
func lines(t *testing.T, folder, ext string) (all []string) {
	t.Helper()
	walk(t, folder, ext, func(file string) { all = append(all, strings.Split(read(t, file), "\n")...) })
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// text returns the text of a literal; empty: it is none.
func text(e ast.Node) string {
	literal, is := e.(*ast.BasicLit)
	if !is || literal.Kind != token.STRING {
		return ""
	}
	unquoted, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return unquoted
}

// everyText returns all literal texts of files.
func everyText(files []*ast.File) (all []string) {
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if said := text(n); said != "" {
				all = append(all, said)
			}
			return true
		})
	}
	return all
}

// given returns the last literal text in each call of one of the functions, which is a message.
func given(files []*ast.File, functions ...string) (all []string) {
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			call, is := n.(*ast.CallExpr)
			if !is || !slices.ContainsFunc(functions, func(name string) bool { return isCalled(call.Fun, name) }) {
				return true
			}
			for _, argument := range slices.Backward(call.Args) {
				if message := text(argument); message != "" {
					all = append(all, message)
					break
				}
			}
			return true
		})
	}
	return all
}

// isCalled reports whether an expression is a name, or ends with it: problem, r.Problems, errors.New.
func isCalled(e ast.Expr, name string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == name
	case *ast.SelectorExpr:
		of, _ := e.X.(*ast.Ident)
		return e.Sel.Name == name || of != nil && of.Name+"."+e.Sel.Name == name
	}
	return false
}

// listed returns the literal texts that are put into a field Problems.
func listed(files []*ast.File) (all []string) {
	put := func(field ast.Expr, values ...ast.Expr) {
		if !isCalled(field, "Problems") {
			return
		}
		for _, value := range values {
			if list, is := value.(*ast.CompositeLit); is {
				values = list.Elts
			}
		}
		for _, value := range values {
			all = append(all, text(value))
		}
	}
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if isCalled(n.Fun, "append") {
					put(n.Args[0], n.Args[1:]...)
				}
			case *ast.KeyValueExpr:
				put(n.Key, n.Value)
			case *ast.AssignStmt:
				put(n.Lhs[0], n.Rhs...)
			}
			return true
		})
	}
	return all
}

// constants returns the texts of the constants of a type.
func constants(files []*ast.File, of string) (all []string) {
	for _, file := range files {
		ast.Inspect(file, func(n ast.Node) bool {
			if c, is := n.(*ast.ValueSpec); is && len(c.Values) > 0 && c.Type != nil && isCalled(c.Type, of) {
				all = append(all, text(c.Values[0]))
			}
			return true
		})
	}
	return all
}

// units are those that a deployment with backups, or that of a branch, leaves on a server.
func units() (all []hostapi.Unit) {
	for _, d := range []hostapi.Deploy{{Project: "PROJECT", Folder: "/HOME", Persistent: true, Backup: &hostapi.Backup{LogArchive: "/WAL"}}, {Project: "PROJECT", Lifetime: 1}} {
		all = append(all, provision.Of(d, "/mrs-host").Units...)
	}
	return all
}

func TestTheRunbookHasAnEntryForWhateverFails(t *testing.T) {
	book := readEntries(read(t, filepath.Join(root, runbook)))
	var alarms, failing []string
	for _, line := range lines(t, "ansible/roles/netdata/templates", ".j2") {
		if m := alarmName.FindStringSubmatch(line); m != nil {
			alarms = append(alarms, m[1])
		}
	}
	for _, u := range units() {
		if u.OnFailure != "" {
			failing = append(failing, u.Name)
		}
	}
	rollout := everySource(t, "internal/hostside/rollout")
	for what, want := range map[string][]string{
		"alarms of netdata":              alarms,
		"units that tell that they fail": failing,
		"outcomes":                       slices.DeleteFunc(constants(everySource(t, "internal/hostapi"), "Outcome"), func(o string) bool { return o == string(hostapi.OK) }),
		"problems of ops:status":         slices.Concat(given(everySource(t, "internal/ops"), "problem"), listed(everySource(t, "internal/ops"))),
		"wrong answers":                  given(everySource(t, "internal/answer"), "errors.New", "fmt.Errorf"),
		"servers that can take no stack": given(everySource(t, "internal/hostside/preflight"), "problem"),
		"failures of deployments":        given(rollout, "errors.New", "fmt.Errorf", "refused"),
		"backups":                        given(everySource(t, "internal/hostside/backup"), "die"),
		"restores and drills":            given(everySource(t, "internal/hostside/restore"), "die"),
		"upgrades of PostgreSQL":         given(everySource(t, "internal/hostside/upgrade"), "die"),
		"takeovers":                      given(everySource(t, "internal/hostside/takeover"), "fmt.Errorf"),
		"locks":                          given(everySource(t, "internal/hostside/lock"), "errors.New", "fmt.Errorf"),
	} {
		if len(want) == 0 {
			t.Errorf("%s: none is found in the code", what)
		}
		for _, message := range book.missing(want) {
			t.Errorf("%s: %q leads to no entry of %s", what, message, runbook)
		}
	}
	if t.Failed() {
		t.Logf("hint: put the words into a heading of %s, or into its line Also …., between backquotes; … stands for what is filled in", runbook)
	}
}

func TestWhatTheRunbookQuotesIsSaidSomewhere(t *testing.T) {
	book := readEntries(read(t, filepath.Join(root, runbook)))
	texts := everyText(slices.Concat(everySource(t, "cmd"), everySource(t, "internal"), everySource(t, "magefiles")))
	texts = slices.Concat(texts, lines(t, "internal/hostside/provision/files", ".sh"), lines(t, "ansible/roles/netdata/templates", ".j2"))
	for _, u := range units() {
		texts = append(texts, u.Name)
	}
	for _, m := range unknown(slices.Concat(book.messages, book.expected), texts) {
		t.Errorf("%s quotes %q, which nobody says", runbook, m)
	}
}

func TestWhatTheRunbookSaysToTypeIsThere(t *testing.T) {
	book := readEntries(read(t, filepath.Join(root, runbook)))
	targets := everyTarget(t)
	if len(book.commands) == 0 || len(targets) == 0 {
		t.Fatalf("%d commands, %d targets", len(book.commands), len(targets))
	}
	for _, command := range book.commands {
		if wrong := wrongWith(command, targets); wrong != "" {
			t.Errorf("%s says to type mage %s: %s", runbook, command, wrong)
		}
	}
	var names []string
	for _, u := range units() {
		names = append(names, u.Name)
	}
	names = append(names, "PROJECT-undo") // a restore makes it
	for _, said := range book.spans {
		for _, unit := range unitName.FindAllString(said, -1) {
			if !slices.Contains(names, unit) {
				t.Errorf("%s names the unit %s, which no deployment makes", runbook, unit)
			}
		}
		for _, m := range asked.FindAllStringSubmatch(said, -1) {
			script := read(t, filepath.Join(root, "internal/hostside/provision/files", m[1]))
			if !strings.Contains(script, "#   "+m[1]+" "+m[2]) {
				t.Errorf("%s says to type %s, and %s knows no %s", runbook, m[0], m[1], m[2])
			}
		}
	}
}

func TestDocumentsThatServersNameAreThere(t *testing.T) {
	texts := slices.Concat(everyText(slices.Concat(everySource(t, "cmd"), everySource(t, "internal/hostside"))),
		lines(t, "internal/hostside/provision/files", ".sh"), lines(t, "ansible/roles", ".j2"))
	named := 0
	for _, name := range document.FindAllString(strings.Join(texts, "\n"), -1) {
		named++
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Errorf("somebody is told to read %s: %v", name, err)
		}
	}
	if named == 0 {
		t.Error("nobody is told to read anything")
	}
}

func TestARunbookIsReadByItsHeadings(t *testing.T) {
	got := readEntries("# A\n\n## `b`\n### `c …`, `d`\nAlso `e`,\n`m`.\nType `mage ops:f G -h=i`, not `j`. Expect `n`.\n\n    mage k   # as `mage l`\n")
	want := entries{messages: []string{"c …", "d", "e", "m"}, commands: []string{"ops:f G -h=i", "k", "l"},
		spans: []string{"b", "c …", "d", "e", "m", "mage ops:f G -h=i", "j", "n", "mage l"}, expected: []string{"n"}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

func TestAMessageLeadsToAnEntryByItsWords(t *testing.T) {
	e := entries{messages: []string{"the new django crashes at start", "answers …, not 200", "… % full", "the repository … has lost some bytes"}}
	code := []string{"the new %s crashes at start", "answers %d, not 200\nhint: mend it", "%s %d %% full", "%s: %w", "the repository %s has lost some bytes, the first is %s", "the new %s is gone", "%s crashes at once: %w"}
	if got, want := e.missing(code), code[5:]; !slices.Equal(got, want) {
		t.Errorf("%q lead to no entry, want %q", got, want)
	}
	said := []string{"the new django crashes at start", "answers …, not 200", "nobody says this", "200 answers"}
	if got, want := unknown(said, code), said[2:]; !slices.Equal(got, want) {
		t.Errorf("%q is said by nobody, want %q", got, want)
	}
}

func TestACommandIsOneThatThereIs(t *testing.T) {
	targets := map[string]target{"ops:logs": {1, map[string]string{"since": "string", "follow": "bool"}}, "setup": {}}
	for command, want := range map[string]string{
		"setup":                                "",
		"ops:logs INSTANCE -since=30m -follow": "",
		`ops:logs "TWO WORDS"`:                 "",
		"ops:log INSTANCE":                     "there is no target ops:log",
		"ops:logs":                             "ops:logs takes 1 arguments, not 0",
		"ops:logs INSTANCE -tail=3":            "ops:logs has no flag -tail",
		"ops:logs INSTANCE -since":             "-since of ops:logs is a string",
		"ops:logs INSTANCE -follow=yes":        "-follow of ops:logs is a bool",
	} {
		if got := wrongWith(command, targets); got != want {
			t.Errorf("mage %s: %s, want %s", command, cmp.Or(got, "right"), cmp.Or(want, "right"))
		}
	}
	for name, want := range map[string]string{"SSH": "ssh", "AddUser": "addUser", "HTTPProxy": "httpProxy", "To": "to"} {
		if got := lowerFirst(name); got != want {
			t.Errorf("%s is listed as %s, want %s", name, got, want)
		}
	}
}
