package console

import "testing"

func TestDidYouMean(t *testing.T) {
	known := []string{"django", "postgres", "mail", "a"}
	for word, want := range map[string]string{
		"djagno": "\nhint: did you mean django?", "postgre": "\nhint: did you mean postgres?", "mial": "\nhint: did you mean mail?",
		"nginx": "", "": "", "b": "",
	} {
		if got := DidYouMean(word, known); got != want {
			t.Errorf("%s: got %q, want %q", word, got, want)
		}
	}
}
