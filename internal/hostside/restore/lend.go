package restore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
)

// Lender is what PostgreSQL calls who lends.
const Lender = "mrs-lend"

// soon is how long another one that does the same is waited for: it may be about to end.
const soon = 10 * time.Second

// once takes the lock of what is done for one at a time, for which another one that is about to end is waited; busy is
// the error where that does not. When we are killed, it is for another to tidy up, who waits for the lock until then.
func (i *Instance) once(ctx context.Context, what string, busy error) (*lock.File, error) {
	waiting, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	held, err := lock.Exclusive(waiting, i.path("."+what+".lock"))
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return nil, busy
	}
	if err == nil {
		err = i.Leave(what, "--return")
	}
	return held, err
}

// Lend lends the database of a snapshot: restores it beside the live one, says how it is called,
// and drops it when until ends, or ctx does. Nothing of what runs is touched, and nothing of the
// snapshot leaves the server. The error is *[backup.Failure].
func (i *Instance) Lend(ctx context.Context, snapshot string, until io.Reader) error {
	held, err := i.once(ctx, "lend", die("see to whom: fuser -v "+i.path(".lend.lock"),
		"a snapshot of %s is lent to somebody already", i.Name))
	if err != nil {
		return backup.Explain(ctx, err)
	}
	defer held.Close()
	r := &run{Instance: i, record: i.Begin("lend", ""), asked: Request{Wanted: snapshot}}
	err = backup.Explain(ctx, r.lend(ctx, until))
	i.Deafen()
	ctx = context.WithoutCancel(ctx)
	r.takeBack(ctx)
	return r.record.Ends(ctx, err)
}

func (r *run) takeBack(ctx context.Context) {
	if r.moves.LiveDump != "" {
		if err := os.RemoveAll(filepath.Join(r.moves.LiveDump, "lend")); err != nil {
			r.Say("left, and removed by the next one: " + err.Error())
		}
	}
	if r.moves.Database != "" {
		_ = r.Stack.Drop(ctx, r.moves.Database)
	}
}

func (r *run) lend(ctx context.Context, until io.Reader) error {
	if err := r.lendBeside(ctx); err != nil {
		return err
	}
	r.answer("lent " + r.moves.Database)
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, until)
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// lendBeside restores the database. Only so long the repository is needed.
func (r *run) lendBeside(ctx context.Context) error {
	defer r.record.Release()
	err := backup.Do(ctx, r.record.TakeRepository, r.record.Counts, r.record.Open, r.pick)
	if err != nil {
		return err
	}
	if r.moves.LiveDump, err = r.returned(ctx); err != nil {
		return err
	}
	dump, _, err := r.weigh(ctx)
	if err != nil {
		return err
	}
	r.bytes = dump // the rest of a snapshot is not restored
	r.record.Fact("bytes", r.bytes)
	if err := r.Enough(r.besides(dump, 0)); err != nil {
		return err
	}
	r.Say(fmt.Sprintf("restoring the database of snapshot %s: %s",
		backup.Short(r.record.Snapshot), backup.Human(r.bytes)))
	r.moves.Database = r.Database + "_lent_" + r.Now().UTC().Format("20060102t150405z")
	if err := r.bringBeside(ctx, "lend"); err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(r.moves.LiveDump, "lend")); err != nil {
		return err
	}
	return r.Stack.Server().Analyze(ctx, r.moves.Database, jobs())
}

// returned removes what one that was killed has left, and returns the folder for dumps. The lock must be held.
func (i *Instance) returned(ctx context.Context) (liveDump string, err error) {
	if err := i.Stack.Ready(ctx); err != nil {
		return "", err
	}
	if liveDump, err = i.Stack.DumpFolder(ctx); err != nil {
		return "", err
	}
	for _, path := range []string{filepath.Join(liveDump, "lend"), i.path(".bring.lend"), i.path(".counted.lend")} {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return "", err
	}
	if err := i.Instance.Stack.EndOurs(ctx); err != nil {
		return "", err
	}
	lent, err := i.Stack.Server().Beside(ctx, "lent")
	for _, name := range lent {
		err = errors.Join(err, i.Stack.Drop(ctx, name))
	}
	return liveDump, err
}

// Return removes what one that was killed has left, once nobody lends. The error is *[backup.Failure].
func (i *Instance) Return(ctx context.Context) error {
	return i.tidy(ctx, ".lend.lock", func() error {
		_, err := i.returned(ctx)
		return err
	})
}

// tidy does something once nobody has a lock, however long that takes. The error is *[backup.Failure].
func (i *Instance) tidy(ctx context.Context, lockFile string, do func() error) error {
	for {
		held, err := lock.Exclusive(ctx, i.path(lockFile))
		if _, is := errors.AsType[*lock.Stuck](err); is {
			continue
		}
		if err == nil {
			defer held.Close()
			err = do()
		}
		return backup.Explain(ctx, err)
	}
}

// answer says a line that programs read.
func (i *Instance) answer(line string) {
	if i.Answer == nil {
		i.Say(line)
		return
	}
	i.Answer(line)
}
