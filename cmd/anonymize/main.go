// Command anonymize takes what is personal out of a plain dump of a PostgreSQL
// database, by rules that name every column:
//
//	pg_dump mrs | anonymize -rules env/anonymize.yml | psql mrs_staging
//
// A column without a rule, and whatever else it does not know, ends it before any
// of it is written. It needs the dump to be read whole: what it has written when
// it fails is to be thrown away.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/console"
)

func main() {
	rules := flag.String("rules", "env/anonymize.yml", "the file of rules, whose beginning says what they can be")
	keyFile := flag.String("key-file", "",
		"a file whose text makes the same fakes each time; without it they are others each time")
	check := flag.Bool("check", false, "only tell whether the rules fit the dump's schema")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr,
			"usage: pg_dump DATABASE | anonymize [-rules FILE] [-key-file FILE] [-check] | psql NEW_DATABASE")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*rules, *keyFile, *check); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(rulesFile, keyFile string, check bool) error {
	text, err := os.ReadFile(rulesFile)
	if err != nil {
		return err
	}
	rules, err := anonymize.ParseRules(rulesFile, text)
	if err != nil {
		return err
	}
	if check {
		return anonymize.CheckDump(os.Stdin, rules)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return err
	}
	if console.Interactive() {
		return errors.New("there is no dump on standard input\nhint: pg_dump DATABASE | anonymize …")
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	start := time.Now()
	done, err := anonymize.Dump(out, os.Stdin, rules, key)
	if err := errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("%w\nhint: what was written until then is not whole, and is to be thrown away", err)
	}
	if len(done.Left) > 0 {
		fmt.Fprintf(os.Stderr, "left out, as it gives access to other servers: %s\n", strings.Join(done.Left, ", "))
	}
	read := float64(done.Read)
	fmt.Fprintf(os.Stderr, "%d rows of %d tables, %s, %s/s\n", done.Rows, done.Tables,
		console.Bytes(read), console.Bytes(read/time.Since(start).Seconds()))
	return nil
}

func readKey(file string) (anonymize.Key, error) {
	if file == "" {
		return anonymize.NewKey()
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return anonymize.Key{}, err
	}
	key, err := anonymize.ParseKey(strings.TrimSpace(string(text)))
	if err != nil {
		return key, fmt.Errorf("%s: %w", file, err)
	}
	return key, nil
}
