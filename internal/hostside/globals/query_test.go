package globals

import (
	"regexp"
	"strings"
	"testing"
)

func TestAQueryIsWholeAndItsCommentIsOne(t *testing.T) {
	for name, parts := range map[string][2]int{"facts": {3, 2}, "parameters": {1, 0}} {
		text := query(name)
		if left := regexp.MustCompile(`<[a-z]+[ >]`).FindString(text); left != "" {
			t.Errorf("%s: %s is not filled in", name, left)
		}
		if grants, settings := strings.Count(text, "aclexplode("), strings.Count(text, "unnest(s.setconfig)"); grants != parts[0] ||
			settings != parts[1] {
			t.Errorf("%s has %d and %d parts, not %v", name, grants, settings, parts)
		}
	}
}
