package application

import (
	"strings"
	"testing"
)

func TestOfALogTheFirstExceptionAndTheLastLinesAreTold(t *testing.T) {
	const (
		exception = "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x()\nKeyError: 'SECRET_KEY'"
		asked     = "[pid: 9|app: 0|req: 1/1] 127.0.0.1 () {28 vars in 300 bytes} [Mon] GET / => generated 0 bytes (HTTP/1.1 401)"
	)
	requests := strings.Repeat(asked+"\n", 100)
	for name, test := range map[string]struct{ log, want string }{
		"nothing":                            {"", ""},
		"only requests":                      {requests, ""},
		"the exception is long ago":          {"starts\n" + exception + "\nwaits\n" + requests + "1\n2\n3\n", exception + "\n[…]\n1\n2\n3"},
		"it is among the last lines":         {"a\nb\nTraceback (most recent call last):\n  x\nValueError\n", "Traceback (most recent call last):\n  x\nValueError"},
		"the first is what counts":           {exception + "\nTraceback (most recent call last):\n  other\nOther\nx\ny\nz\n" + requests, exception + "\n[…]\nx\ny\nz"},
		"it goes on into the last lines":     {"Traceback (most recent call last):\n  1\n  2\n  3\nValueError\n", "Traceback (most recent call last):\n  1\n[…]\n  2\n  3\nValueError"},
		"it has not ended":                   {"Traceback (most recent call last):\n  1\n", "Traceback (most recent call last):\n  1"},
		"without an exception, the last few": {"1\n2\n3\n4\n", "2\n3\n4"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Telling(test.log, 3); got != test.want {
				t.Errorf("tells\n%s\nnot\n%s", got, test.want)
			}
		})
	}
}
