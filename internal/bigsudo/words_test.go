package bigsudo

import (
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/local"
)

func TestALineIsSplitAsAShellDoesButNothingIsExpanded(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string
	}{
		{"", nil},
		{" \t\n", nil},
		{"yourlabs.ssh @host", []string{"yourlabs.ssh", "@host"}},
		{`home=/tmp/testmrs ports='["8000:8000"]' build=`, []string{"home=/tmp/testmrs", `ports=["8000:8000"]`, "build="}},
		{`'{"a": 1}' {"a":1}`, []string{`{"a": 1}`, "{a:1}"}},
		{`name="a b'; touch /tmp/pwned; $(id)"`, []string{"name=a b'; touch /tmp/pwned; $(id)"}},
		{"a=$HOME b=${HOME:-x} c=$(id) d=`id` e=$((1+1)) f=~ g=* h={1,2} i=[a-z] j=?", []string{
			"a=$HOME", "b=${HOME:-x}", "c=$(id)", "d=`id`", "e=$((1+1))", "f=~", "g=*", "h={1,2}", "i=[a-z]", "j=?"}},
		{`~ "~" "$HOME" '$HOME' \$HOME`, []string{"~", "~", "$HOME", "$HOME", "$HOME"}},
		{`a\ b "a\ b" 'a\ b' "a\"b" "a\\b" a\\b`, []string{"a b", `a\ b`, `a\ b`, `a"b`, `a\b`, `a\b`}},
		{`a"b c"'d e'f`, []string{"ab cd ef"}},
		{`'' "" x=""`, []string{"", "", "x="}},
		{`$'a\nb\té\x41'`, []string{"a\nb\téA"}},
		{"a\\\nb 'a\nb'", []string{"ab", "a\nb"}},
		{"a \\\n b", []string{"a", "b"}},
		{"a#b \\#c '#d'", []string{"a#b", "#c", "#d"}},
		{"email=a@b é=ü", []string{"email=a@b", "é=ü"}},
		{"x=$(echo \"a b\" ')')", []string{"x=$(echo \"a b\" ')')"}},
	} {
		got, err := Words(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
		} else if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.line, got, c.want)
		}
	}
}

func TestWhatAShellWouldTakeForSomethingElseIsRefused(t *testing.T) {
	for _, line := range []string{"a; b", "a & b", "a | b", "a > b", "(a)", "'a", `"a`, "a $(b", "a # b", "#a", "a\n# b\nc", "a\x00b", "a <<b", "x=`"} {
		if words, err := Words(line); err == nil {
			t.Errorf("%q gives %q", line, words)
		} else if !strings.Contains(err.Error(), "hint:") && !strings.Contains(line, "\x00") {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func FuzzWhatIsQuotedIsSplitBack(f *testing.F) {
	for _, word := range []string{"a b'; touch /tmp/pwned; $(id)", "é\n", "", "%s", `\`, "~", "#", "\x01\xff", "{a,b}", "a=(b)", "!x", "100%", "\u2028"} {
		f.Add("x", word)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		if strings.Contains(first+second, "\x00") {
			return // no argument can have one
		}
		want := []string{first, second}
		got, err := Words(local.Quote(want...))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s:\n got %q, %v\nwant %q", local.Quote(want...), got, err, want)
		}
	})
}

func FuzzALineIsSplitOrRefused(f *testing.F) {
	for _, line := range []string{"a 'b' \"c\" $d $(e) `f` #g", "a=$'\\n' \\", "${", "$((", "<(a)", "@(a|b)", "a{b,c}", "\\\n#", "\xff$"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := Words(line)
		if err == nil && len(words) == 0 && strings.Trim(line, " \t\r\n\\") != "" {
			t.Errorf("%q has no words", line)
		}
	})
}
