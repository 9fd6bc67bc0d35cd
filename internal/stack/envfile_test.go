package stack

import (
	"maps"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// FuzzAnEnvFileIsReadAsComposeReadsIt compares with what Compose itself would give
// the container: what is taken here means the same there.
func FuzzAnEnvFileIsReadAsComposeReadsIt(f *testing.F) {
	for _, seed := range []string{
		"A=1\nB=2", "A = 1 # c", "A='x' B=\"y\\n\" # c\nC", "export A=1", "export\tA\nB:2\n", "A=\"a\\\"b\\\\ \\$X $X ${X:-d} \\0101 \\c\"\n", "A='it\\'s\n'\n",
		"A=#no\nB= #x\nC=a#b\n", "\ufeffA=1", "A.b-[0]=1\r\nB=\"\r\"\r\n", "A=${X-${Y}}\nB=$A$$A", "\v A\u00a0=1\nexport\nA=1", "A=${X:+y}\n", "A=$\nB=$(a)\nC=${",
	} {
		f.Add(seed)
	}
	get := func(name string) (string, bool) {
		value, ok := map[string]string{"X": "x", "Y": ""}[name]
		return value, ok
	}
	f.Fuzz(func(t *testing.T, content string) {
		got := map[string]string{}
		read := envFile{get: get, vars: got}
		if read.readDotenv(content) != nil {
			return
		}
		want, err := dotenv.UnmarshalWithLookup(strings.TrimPrefix(content, "\ufeff"), get)
		if err != nil {
			t.Fatalf("Compose does not take %q: %v", content, err)
		}
		if _, nameless := want[""]; nameless {
			return // a name that ends the file, without a line end: Compose takes it for the value
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q gives %q, and by Compose %q", content, got, want)
		}
	})
}
