package backup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// Prune applies the retention policy, checks what remains, and lets the mirror follow. The error
// is *[Failure]; its status is [hostapi.NotMirrored] where only the mirror did not.
func (i *Instance) Prune(ctx context.Context, cause string) error {
	r := i.Begin("prune", cause)
	defer r.Release()
	return r.Ends(ctx, r.prune(ctx))
}

func (r *Run) prune(ctx context.Context) error {
	// Nothing is taken away from a repository that is damaged.
	err := Do(ctx, r.TakeRepository, r.Counts, r.Open, r.whole, r.forget, r.remains,
		// Only a repository that has passed its check may delete anything from the mirror.
		func(ctx context.Context) error { return r.mirror(ctx, true) })
	if err != nil {
		return err
	}
	r.Say(fmt.Sprintf("the backups of %s are pruned and checked", r.Name))
	return nil
}

func (r *Run) remains(ctx context.Context) error {
	r.Say("checking what remains")
	subset := ""
	if !r.repository.Here() {
		subset = fmt.Sprintf("%d/28", time.Now().YearDay()%28+1) // all of it in four weeks
	}
	if err := r.check(ctx, subset); err != nil || !r.repository.Here() {
		return err
	}
	if err := r.intact(ctx, false); err != nil {
		return err
	}
	_, err := r.measure()
	return err
}

// forget removes the snapshots that the policy does not keep, and makes sure that exactly these
// are gone: restic's word is not enough.
func (r *Run) forget(ctx context.Context) error {
	if err := r.forgetLogs(ctx); err != nil {
		return err
	}
	before, err := r.mine(ctx)
	if err != nil {
		return err
	}
	r.Say(fmt.Sprintf("%d snapshots; forgetting those that are not to be kept", len(before)))
	// Those of the scripts before ours too, which have another host, and the same home.
	policy := restic.Policy{Path: r.path("docker-compose.yml"), Last: r.KeepLast, Daily: r.KeepDaily,
		Weekly: r.KeepWeekly, Monthly: r.KeepMonthly, Yearly: r.KeepYearly}
	remove, err := r.repository.Removes(ctx, policy)
	if err != nil {
		return err
	}
	if err := r.repository.Prune(ctx, policy); err != nil {
		return err
	}
	after, err := r.mine(ctx)
	if err != nil {
		return fmt.Errorf("which snapshots remain can't be listed: %w", err)
	}
	is := func(in []restic.Snapshot, id string) bool {
		return slices.ContainsFunc(in, func(s restic.Snapshot) bool { return s.ID == id })
	}
	still := slices.DeleteFunc(slices.Clone(remove), func(id string) bool { return !is(after, id) })
	var gone []string
	for _, s := range before {
		if !slices.Contains(remove, s.ID) && !is(after, s.ID) {
			gone = append(gone, s.ID)
		}
	}
	if len(gone) > 0 {
		return die("the mirror has it still: do not run "+r.script()+" before it is understood",
			"%d snapshots that the policy keeps are gone, the first is %s; the mirror was left alone", len(gone), Short(gone[0]))
	}
	if len(still) > 0 {
		return die(
			"may it delete there? an append-only server, or a key that may not",
			"restic says that all went well, but %d of %d snapshots that were to go are still there, the first is %s",
			len(still), len(remove), Short(still[0]),
		)
	}
	return nil
}
