package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

var nobody = func(string) {}

func TestOnlyOneHasAnInstance(t *testing.T) {
	folder := t.TempDir()
	first, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Who: "eve", What: "deploy"}, nobody)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Who: "bob"}, nobody); err == nil ||
		!strings.Contains(err.Error(), "mrs is locked by somebody else: eve: deploy, since ") {
		t.Error(err)
	}
	other, err := Take(t.Context(), folder, "mrs-other", hostapi.Holder{}, nobody)
	if err != nil {
		t.Fatal(err)
	}
	other.Release()
	first.Release()
	again, err := Take(t.Context(), folder, "mrs", hostapi.Holder{}, nobody)
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	for _, kind := range []string{"pid", "waits"} {
		if _, err := os.Stat(filepath.Join(folder, "mrs."+kind)); err == nil {
			t.Errorf("mrs.%s is left", kind)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(folder, "mrs.lock")); len(text) > 0 {
		t.Errorf("it still names %s", text)
	}
}

func TestWhoOnlyTriesWaitsForNobody(t *testing.T) {
	folder := t.TempDir()
	first, err := Try(folder, "mrs", hostapi.Holder{Who: "eve", What: "remove mrs"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Try(folder, "mrs", hostapi.Holder{Who: "bob"}); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), "eve") {
		t.Error(err)
	}
	if _, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Who: "bob"}, nobody); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	first.Release()
	backup := flock.New(filepath.Join(folder, "mrs.work"))
	if ok, err := backup.TryRLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := Try(folder, "mrs", hostapi.Holder{}); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	backup.Close()
	again, err := Try(folder, "mrs", hostapi.Holder{}) // whoever found it busy holds nothing
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
}

// held is the operator's lock, held for somebody else, under a token.
func held(t *testing.T, folder, token string) *flock.Flock {
	t.Helper()
	operator := flock.New(filepath.Join(folder, "mrs.lock"))
	if ok, err := operator.TryLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := os.WriteFile(operator.Path(), []byte(`{"token": "`+token+`", "who": "eve"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { operator.Close() })
	return operator
}

func TestWhoHasTheTokenWorksUnderTheOperatorsLock(t *testing.T) {
	folder := t.TempDir()
	operator := held(t, folder, "abc")
	if _, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Token: "other"}, nobody); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
	l, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Token: "abc"}, nobody)
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
	if text, _ := os.ReadFile(operator.Path()); !strings.Contains(string(text), "abc") {
		t.Errorf("the operator's lock has lost its holder: %q", text)
	}
	operator.Close()
	if _, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Token: "abc"}, nobody); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func TestWhoHasToWaitSaysSoAndCanBeEnded(t *testing.T) {
	folder := t.TempDir()
	held(t, folder, "abc")
	work := flock.New(filepath.Join(folder, "mrs.work"))
	if ok, err := work.TryRLock(); !ok || err != nil { // a backup
		t.Fatal(ok, err)
	}
	said := make(chan string, 1)
	ctx, end := context.WithCancel(t.Context())
	go func() {
		<-said
		if _, err := os.Stat(filepath.Join(folder, "mrs.waits")); err != nil {
			t.Error(err)
		}
		end()
	}()
	if _, err := Take(ctx, folder, "mrs", hostapi.Holder{Token: "abc"}, func(line string) { said <- line }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "mrs.waits")); err == nil {
		t.Error("it is said to wait still")
	}
	time.AfterFunc(300*time.Millisecond, func() { work.Close() })
	l, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Token: "abc"}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}
