package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

func TestFramesComeAsTheyWereSent(t *testing.T) {
	var sent bytes.Buffer
	for _, payload := range []string{"", "x", string(make([]byte, 100_000))} {
		if err := Write(&sent, Rows, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		r := NewReader(bytes.NewReader(sent.Bytes()))
		kind, got, err := r.Next()
		if kind != Rows || string(got) != payload || err != nil {
			t.Errorf("%d bytes came as %d, a frame %c: %v", len(payload), len(got), kind, err)
		}
		if _, _, err := r.Next(); err != io.EOF {
			t.Errorf("the end is %v", err)
		}
		sent.Reset()
	}
}

func TestAFrameThatIsCutIsNoEnd(t *testing.T) {
	var sent bytes.Buffer
	if err := WriteJSON(&sent, End, Done{Rows: 3}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < sent.Len(); n++ {
		if _, _, err := NewReader(bytes.NewReader(sent.Bytes()[:n])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("d\x00\x00\x00\x01x"))
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := NewReader(bytes.NewReader(sent))
		for {
			if _, _, err := r.Next(); err != nil {
				return
			}
		}
	})
}
