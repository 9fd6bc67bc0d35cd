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
		if err := NewWriter(&sent).Write(Rows, []byte(payload)); err != nil {
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
	if err := NewWriter(&sent).WriteJSON(End, Done{Rows: 3}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < sent.Len(); n++ {
		if _, _, err := NewReader(bytes.NewReader(sent.Bytes()[:n])).Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestFramesThatWereChangedAreNotTakenForWhatWasSent(t *testing.T) {
	payloads := []string{"first", "", "the third", "fourth"}
	frames := make([][]byte, len(payloads))
	var sent bytes.Buffer
	w := NewWriter(&sent)
	for i, payload := range payloads {
		before := sent.Len()
		if err := w.Write(Rows, []byte(payload)); err != nil {
			t.Fatal(err)
		}
		frames[i] = bytes.Clone(sent.Bytes()[before:])
	}
	read := func(frames ...[]byte) error {
		r := NewReader(bytes.NewReader(bytes.Join(frames, nil)))
		for {
			if _, _, err := r.Next(); err != nil {
				return err
			}
		}
	}
	if err := read(frames...); err != io.EOF {
		t.Fatal(err)
	}
	// With each byte but those of the last payload, which the next frame would tell
	// of.
	all := sent.Bytes()
	for i := range len(all) - len("fourth") {
		changed := bytes.Clone(all)
		changed[i] ^= 1 << (i % 8)
		if err := read(changed); !errors.Is(err, ErrChanged) {
			t.Errorf("byte %d is changed: %v", i, err)
		}
	}
	for what, frames := range map[string][][]byte{
		"one is missing":     {frames[0], frames[2], frames[3]},
		"one is there twice": {frames[0], frames[1], frames[1], frames[2]},
		"two are exchanged":  {frames[0], frames[2], frames[1], frames[3]},
		"the first is none":  {frames[1], frames[2]},
	} {
		if err := read(frames...); !errors.Is(err, ErrChanged) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzReader(f *testing.F) {
	var sent bytes.Buffer
	_ = NewWriter(&sent).Write(Rows, []byte("x"))
	f.Add(sent.Bytes())
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := NewReader(bytes.NewReader(sent))
		for {
			if _, _, err := r.Next(); err != nil {
				return
			}
		}
	})
}
