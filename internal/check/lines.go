package check

import (
	"context"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"
)

// width is how many characters a line of code has at most.
const width = 120

// lineLengths returns an error if a line of code is too long. Those of tests may be: they have what programs print, to
// the letter.
func lineLengths(ctx context.Context) error {
	files, err := sources(ctx, "*.go", "*.sh", "*.bash", "*.yml", "*.j2", "*.py", "do", ".ci/run",
		":(exclude)*_test.go", ":(exclude)*testdata*")
	if err != nil {
		return err
	}
	var long []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		long = append(long, longLines(file, string(content))...)
	}
	if len(long) == 0 {
		return nil
	}
	return fmt.Errorf("%s\nhint: break them where they have parts, give one a name, fold a scalar of YAML (>-)",
		strings.Join(long, "\n"))
}

// longLines says where a file has lines of more than [width] characters, and how many these have: a tab is one, and so
// is a letter of several bytes.
func longLines(file, content string) (long []string) {
	number := 0
	for line := range strings.Lines(content) {
		number++
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
			long = append(long, fmt.Sprintf("%s:%d: a line of %d characters, of which it may have %d",
				file, number, n, width))
		}
	}
	return long
}
