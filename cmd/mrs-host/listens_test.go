package main

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

func TestWhatIsBrokenElsewhereEndsNothingAndALostListenerDoes(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdout
	os.Stdout = w
	defer func() { os.Stdout = was; w.Close() }()
	ctx, stop := whileListened(t.Context())
	defer stop()

	otherEnd, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	otherEnd.Close()
	if _, err := other.WriteString("x"); err == nil {
		t.Fatal("a pipe without a reader takes a text")
	}
	select {
	case <-ctx.Done():
		t.Fatal("another pipe's end has ended it")
	case <-time.After(100 * time.Millisecond):
	}

	r.Close()
	_, _ = w.WriteString("x")
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, errNobody) {
		t.Error(err)
	}
}
