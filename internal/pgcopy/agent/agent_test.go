package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

func TestHalfAnOrderIsNoEndOfOrders(t *testing.T) {
	for text, want := range map[string]error{"": io.EOF, `{"table":1`: io.ErrUnexpectedEOF, `{"table":1}`: io.ErrUnexpectedEOF, "{}\n": nil} {
		var job wire.Job
		if err := read(bufio.NewReader(strings.NewReader(text)), &job); err != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestWhatPostgreSQLSaysOfValuesIsNotPassedOn(t *testing.T) {
	const value = "geheim@example.com"
	for code, told := range map[string]bool{
		"53100": true, "57P01": true, "42501": true, "XX001": true, "40001": true,
		"22P02": false, "23505": false, "P0001": false, "P0004": false, "MY001": false, "44000": false, "2F003": false, "": false,
	} {
		message := "as it is"
		if !told {
			message = "no " + value
		}
		err := clean(fmt.Errorf("in a table: %w", &pgconn.PgError{Severity: "ERROR", Code: code, Message: message, Detail: value,
			Hint: value, Where: value, InternalQuery: value, TableName: "people", ColumnName: "email"}))
		if text := err.Error(); strings.Contains(text, value) || strings.Contains(text, message) != told ||
			!strings.Contains(text, "(people, email) (SQLSTATE "+code+")") {
			t.Errorf("%s: %s", code, text)
		}
		if _, ok := errors.AsType[*pgconn.PgError](err); ok {
			t.Errorf("%s: whoever has the error gets at all of it", code)
		}
	}
	raised := &pgconn.PgError{Code: "42501", Message: "no " + value, Routine: "exec_stmt_raise"}
	if err := clean(raised); strings.Contains(err.Error(), value) {
		t.Errorf("raised: %v", err)
	}
	lost := errors.New("the connection is lost")
	if err := clean(lost); err != lost {
		t.Errorf("another's error becomes %v", err)
	}
}
