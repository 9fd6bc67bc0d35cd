package agent

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

func TestBlocksHandOnEverythingInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var want bytes.Buffer
	b := newBlocks()
	pieces := make([][]byte, 400)
	for i := range pieces {
		size := rng.IntN(8000)
		if i == 200 {
			size = 3 * blockSize // a row larger than a block
		}
		pieces[i] = bytes.Repeat([]byte{byte(i)}, size)
		want.Write(pieces[i])
	}
	go func() {
		for _, p := range pieces {
			if _, err := b.Write(p); err != nil {
				t.Error(err)
			}
		}
		b.close(nil)
	}()
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes came of %d: %v", len(got), want.Len(), err)
	}
}

func TestBlocksHandOnTheWritersError(t *testing.T) {
	b, broken := newBlocks(), errors.New("the connection is lost")
	go func() {
		_, _ = b.Write([]byte("1\n"))
		b.close(broken)
	}()
	if _, err := io.ReadAll(b); err != broken {
		t.Errorf("the error is %v", err)
	}
}

func TestAWriterIsNotKeptByAReaderThatIsGone(t *testing.T) {
	b := newBlocks()
	b.stop()
	b.stop()
	for range 100 {
		if _, err := b.Write(make([]byte, blockSize)); err != nil {
			if !errors.Is(err, errStopped) {
				t.Error(err)
			}
			b.close(err)
			return
		}
	}
	t.Error("it writes on")
}

func TestRowsAreNotDivided(t *testing.T) {
	b := newBlocks()
	go func() {
		for n := range 2000 {
			row := append(bytes.Repeat([]byte{'x'}, 7*n), '\n')
			if n == 1000 {
				row = append(bytes.Repeat([]byte{'x'}, 2*blockSize), '\n')
			}
			if _, err := b.Write(row); err != nil {
				t.Error(err)
			}
		}
		b.close(nil)
	}()
	rows := 0
	for {
		block, err := b.next()
		if err == io.EOF {
			break
		}
		if err != nil || block[len(block)-1] != '\n' {
			t.Fatalf("a block of %d bytes ends within a row: %v", len(block), err)
		}
		rows += bytes.Count(block, []byte{'\n'})
		b.free(block)
	}
	if rows != 2000 {
		t.Errorf("%d rows", rows)
	}
}

func TestADiskThatFillsUpIsNoticed(t *testing.T) {
	for reserve, full := range map[int64]bool{0: false, 1 << 62: true} {
		disk, err := watchDisk(wire.Receiver{Data: t.TempDir(), Reserve: reserve})
		if err != nil {
			t.Fatal(err)
		}
		if err := disk(); (err != nil) != full {
			t.Errorf("%d bytes are to stay free: %v", reserve, err)
		}
	}
}
