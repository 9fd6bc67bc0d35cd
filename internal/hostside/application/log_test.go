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
	many := strings.Repeat(asked+"\n", 100)
	for name, test := range map[string]struct{ log, want string }{
		"nothing":                            {"", ""},
		"only requests":                      {many, ""},
		"the exception is long ago":          {"starts\n" + exception + "\nwaits\n" + many + "1\n2\n3\n", exception + "\n[…]\n1\n2\n3"},
		"it is among the last lines":         {"a\nb\nTraceback (most recent call last):\n  x\nValueError\n", "Traceback (most recent call last):\n  x\nValueError"},
		"the first is what counts":           {exception + "\nTraceback (most recent call last):\n  other\nOther\nx\ny\nz\n" + many, exception + "\n[…]\nx\ny\nz"},
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

func TestAnExceptionIsFoundWhateverTheApplicationIsWrittenIn(t *testing.T) {
	const (
		chained = `Traceback (most recent call last):
  File "/app/a.py", line 3, in connect
    raise OSError(111)
psycopg2.OperationalError: could not connect to server: Connection refused
	Is the server running on host "postgres" (172.18.0.2) and accepting
	TCP/IP connections on port 5432?


The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/app/b.py", line 9, in migrate

    connect()
django.db.utils.OperationalError: could not connect to server
DETAIL:  nobody listens

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/c.py", line 1, in <module>
SystemExit: 1`
		group = `  + Exception Group Traceback (most recent call last):
  |   File "/app/a.py", line 3, in <module>
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------`
		syntax = `  File "/app/settings.py", line 12
    HOST = os.environ['HOST'
                            ^
SyntaxError: '[' was never closed`
		goPanic = `panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x45f2b1]

goroutine 1 [running]:
main.(*Server).Start(0x0)
	/src/main.go:12 +0x1d
main.main()
	/src/main.go:5 +0x25`
		node = `/app/server.js:3
throw new Error('no DATABASE_URL')
^

Error: no DATABASE_URL
    at Object.<anonymous> (/app/server.js:3:7)
    at Module._compile (node:internal/modules/cjs/loader:1198:14) {
  code: 'ENOENV',
  [cause]: TypeError: x
      at /app/x.js:1:1
}`
		nodeModule = `node:internal/modules/cjs/loader:1078
  throw err;
  ^

Error: Cannot find module 'express'
Require stack:
- /app/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1075:15)
    at node:internal/main/run_main_module:28:49`
		java = `Exception in thread "main" java.lang.IllegalStateException: no database
	at fr.example.App.main(App.java:12)
Caused by: java.net.ConnectException: Connection refused
	at java.base/sun.nio.ch.Net.connect0(Native Method)
	... 3 more`
		ruby = `/app/config.rb:3:in ` + "`fetch': key not found: \"HOST\" (KeyError)" + `
	from /app/config.rb:3:in ` + "`<main>'"
		php = `PHP Fatal error:  Uncaught PDOException: SQLSTATE[08006] in /app/index.php:3
Stack trace:
#0 /app/index.php(3): PDO->__construct()
#1 {main}
  thrown in /app/index.php on line 3`
		rust = `thread 'main' panicked at src/main.rs:2:5:
no HOST
note: run with ` + "`RUST_BACKTRACE=1`" + ` environment variable to display a backtrace`
	)
	asked := strings.Repeat(`172.18.0.1 - - [29/Nov/2026:10:00:00 +0000] "GET /healthz HTTP/1.1" 502 12 "-" "curl/8"`+"\n"+
		`INFO:     127.0.0.1:40000 - "HEAD / HTTP/1.1" 503 Service Unavailable`+"\n", 50)
	for name, text := range map[string]string{
		"chained": chained, "a group": group, "a syntax error": syntax, "Go": goPanic, "Node": node, "Node's own": nodeModule, "Java": java, "Ruby": ruby, "PHP": php, "Rust": rust,
	} {
		log := "Error: 3 settings are not set\nlistens on /app:80\n" + text + "\n\ngoroutine 7 [chan receive]:\n" + asked + "waits\nwaits\nwaits\n"
		if got, want := Telling(log, 3), text+"\n[…]\nwaits\nwaits\nwaits"; got != want {
			t.Errorf("%s: tells\n%s\nnot\n%s", name, got, want)
		}
	}
	long := "Traceback (most recent call last):\n" + strings.Repeat("  File \"a.py\", line 1, in a\n", 500) + "RecursionError: too deep\n"
	got := Telling(long+"1\n2\n3\n", 3)
	if n := strings.Count(got, "\n"); n > most+5 || !strings.Contains(got, "RecursionError") || !strings.HasPrefix(got, "Traceback") {
		t.Errorf("of a long one %d lines are told:\n%s", n, got)
	}
	for _, line := range []string{`2026/11/29 10:00:00 [error] 7#7: *1 connect() failed, request: "GET / HTTP/1.1"`, `ERROR "GET / HTTP/1.1" failed`} {
		if Telling(line, 3) != line {
			t.Errorf("it is no more than a request: %s", line)
		}
	}
}
