package instance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"
)

func TestAValueArrivesAsItIsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"A=":                           "",
		"A=b":                          "b",
		"A=b\n":                        "b",
		"A=b\r\n":                      "b",
		"\ufeffA=b":                    "b",
		"export A=b":                   "b",
		"export\t A=b":                 "b",
		"  A \t=\t b c \n":             "b c",
		"A=it's":                       "it's",
		"A=b#c":                        "b#c",
		`A=a\b`:                        `a\b`,
		"A=https://x.fr/?a=1&b=2":      "https://x.fr/?a=1&b=2",
		`A=["8000:8000"]`:              `["8000:8000"]`,
		"A=Équipe <equipe@x.fr>":       "Équipe <equipe@x.fr>",
		"A=-Da=1 -Db=2":                "-Da=1 -Db=2",
		"A=''":                         "",
		`A=""`:                         "",
		"A=' b '":                      " b ",
		"A='a$B@x.fr'":                 "a$B@x.fr",
		`A='a\b\\c'`:                   `a\b\\c`,
		"A='x #1' # a comment":         "x #1",
		"A='x'\t#":                     "x",
		`A='["sh","-c","echo $HOME"]'`: `["sh","-c","echo $HOME"]`,
		"A='B=1\nC=2\n'\n":             "B=1\nC=2\n",
		`A="a\\b \"c\" \$D\n\r"`:       "a\\b \"c\" $D\n\r",
		`A="it's"`:                     "it's",
		`A="ends with \\"`:             `ends with \`,
		`A="ends with \""`:             `ends with "`,
		"A=\"x\ny\"":                   "x\ny",
		"# B='\nA=b":                   "b",
	} {
		values, faults := Parse(text)
		if got, set := values["A"]; faults != nil || !set || got != want || len(values) != 1 {
			t.Errorf("%q: got %q, %v; want %q", text, values, faults, want)
		}
	}
}

func TestWhatOthersCouldReadOtherwiseIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"A=a$B@x.fr":            "holds a $",
		"A=a$b":                 "holds a $",
		"A=5$":                  "holds a $",
		`A="a$B"`:               "holds a $",
		`A="\\$B"`:              "holds a $",
		"A=correct horse #1":    "holds a #",
		"A=b # a comment":       "holds a #",
		"A=b\t# a comment":      "holds a #",
		"A=#b":                  "holds a #",
		"A= # a comment":        "holds a #",
		"A=1 B=2":               "holds several variables",
		"A=correct B=x horse":   "holds several variables",
		`A=b\`:                  `ends with a \`,
		`A="a\b"`:               `holds a \`,
		`A="a\tb"`:              `holds a \`,
		"A=\"a\\\nb\"":          `holds a \`,
		`A='it\'s'`:             "goes on behind the closing quote",
		`A='b\'`:                `holds \'`,
		"A='x":                  "opens a quote",
		"A='x\r\ny\r\n":         "opens a quote",
		`A="x\"`:                "opens a quote",
		"A='x'y":                "goes on behind the closing quote",
		"A='x'#y":               "goes on behind the closing quote",
		"A='x' 'y'":             "goes on behind the closing quote",
		"A=b\rB=c":              "holds a line end",
		"# b\rA=c":              "holds a line end",
		"A='b\r\nc'":            "holds the line ends of Windows",
		"A=b\x00":               "is no text",
		"A=\xff":                "is no text",
		"A=b\u00a0":             "holds what other programs read otherwise",
		"A":                     "is not NAME=VALUE",
		"export A":              "is not NAME=VALUE",
		"A: b":                  "is not NAME=VALUE",
		"A: b=c":                "has no name",
		"A.B=c":                 "has no name",
		"1A=b":                  "has no name",
		"É=b":                   "has no name",
		"A B=c":                 "has no name",
		"=b":                    "has no name",
		"export =b":             "has no name",
		"A=1\nA=1":              "sets what line 1 sets",
		"\ufeff\ufeffA=b":       "has no name",
		"A=-----BEGIN\nb3BlbnM": "is not NAME=VALUE",
	} {
		values, faults := Parse(text)
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Reason, want) || faults[0].Hint == "" {
			t.Errorf("%q: got %q, %v; want that it %s", text, values, faults, want)
		}
	}
}

func TestAllFaultsAreSaidWithTheLineOfEachAndNothingOfTheFile(t *testing.T) {
	text := "A=1\n\nB='x\ny\nz'\nC=hunter2$X\n hunter2\r\nA=hunter2\nD='hunter2' y\nE=fine\nF=\"hunter2\n"
	values, faults := Parse(text)
	var lines []int
	for _, f := range faults {
		lines = append(lines, f.Line)
		if strings.Contains(f.Reason+f.Hint, "hunter2") {
			t.Errorf("%+v", f)
		}
	}
	if want := []int{6, 7, 8, 9, 11}; !slices.Equal(lines, want) {
		t.Errorf("faults in lines %v, want %v", lines, want)
	}
	if values["E"] != "fine" {
		t.Errorf("a fault hides what follows: %q", values)
	}
}

func TestTheCommittedEnvFilesAreReadAsByGodotenvAndByCompose(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../env/*.env", "../lab/testdata/*.env.golden"} {
		more, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil || more == nil {
			t.Fatalf("%s: %v, %v", pattern, more, err)
		}
		files = append(files, more...)
	}
	for _, file := range files {
		if strings.HasSuffix(file, secretsSuffix) {
			continue // somebody's own
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values, faults := Parse(string(content))
		if faults != nil || len(values) == 0 {
			t.Errorf("%s: %v", file, faults)
		}
		same(t, file, string(content), values)
	}
}

// same fails unless Compose and godotenv read these values in text too.
func same(t *testing.T, name, text string, values map[string]string) {
	t.Helper()
	readers := map[string]func(string) (map[string]string, error){
		"Compose":  func(text string) (map[string]string, error) { return dotenv.UnmarshalWithLookup(text, nil) },
		"godotenv": godotenv.Unmarshal,
	}
	for _, value := range values {
		if strings.HasSuffix(value, `"`) || strings.HasSuffix(value, `\`) {
			delete(readers, "godotenv") // which loses some of these between double quotes
		}
	}
	for reader, read := range readers {
		theirs, err := read(text)
		if err != nil || len(theirs) != len(values) {
			t.Errorf("%s: %s reads %q, %v; we read %q", name, reader, theirs, err, values)
			continue
		}
		for variable, value := range values {
			if theirs[variable] != value {
				t.Errorf("%s: %s reads %q, we read %q", name, reader, theirs[variable], value)
			}
		}
	}
}

// odd are values that an env file may lose something of.
var odd = []string{
	"", " ", "a$B@x.fr", `["sh","-c","echo $HOME"]`, `a\b`, "correct horse #1", "#", "it's", `"`, `'`, `\`,
	`'"`, `'\`, `\'`, `\"`, `\$`,
	`'\$(id)${X}`,
	"-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk=\n-----END OPENSSH PRIVATE KEY-----\n",
	"a\r\nb", "\r", "\n", "\t",
	"\ufeff", "\u00a0x\u0085", "A=1 B=2", "x B=2", `it's \n`, "%", "`id`", "'\v\f", `'\\`, `'\\"`, `''''`, `""""`,
}

func FuzzWhatIsWrittenByTheGrammarComesBack(f *testing.F) {
	for _, value := range odd {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if strings.Contains(value, "\x00") || !utf8.ValidString(value) {
			if _, faults := Parse(Assign("A", value)); faults == nil {
				t.Errorf("%q is no text, and was read", value)
			}
			return
		}
		text := "BEFORE=1\n" + Assign("A", value) + "AFTER='2'\n"
		values, faults := Parse(text)
		if faults != nil || len(values) != 3 || values["A"] != value || values["AFTER"] != "2" {
			t.Errorf("%q, written as %q, is read as %q, %v", value, text, values, faults)
		}
		same(t, text, text, values)
		// By hand, in either quotes.
		if !strings.ContainsAny(value, "'\r") && !strings.HasSuffix(value, `\`) {
			if values, faults := Parse("A='" + value + "'"); faults != nil || values["A"] != value {
				t.Errorf("%q between single quotes is %q, %v", value, values, faults)
			}
		}
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\r", `\r`).Replace(value)
		if values, faults := Parse(`A="` + escaped + `"`); faults != nil || values["A"] != value {
			t.Errorf("%q between double quotes is %q, %v", value, values, faults)
		}
	})
}

func FuzzWhatIsAcceptedIsReadTheSameByOthers(f *testing.F) {
	for _, value := range odd {
		f.Add("A=" + value)
		f.Add("export A='" + value + "' # x\r\nB=1")
		f.Add(`A="` + value + `"`)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if values, faults := Parse(text); faults == nil {
			same(t, text, strings.TrimPrefix(text, "\ufeff"), values)
		}
	})
}
