//go:build e2e

package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The shop of examples/ is not MRS: no service is called django, and no command of MRS' is in its images.
func TestAnotherApplicationRollsIsBackedUpProvenAndRolledBack(t *testing.T) {
	l := inTheLab(t, 60*time.Second)
	t.Cleanup(func() {
		l.sh(t, "staging", "systemctl stop 'shop-*.timer'; rm -rf /etc/systemd/system/shop-*; systemctl daemon-reload")
		l.remove(t, "staging", "shop", "/home/shop")
	})
	// Not in the lab's own: whoever lists its instances beside us would find this one, too.
	shop := l
	shop.dir = filepath.Join(t.TempDir(), "clone")
	shop.fill(t)
	shop.must(t, "sh", "-euc", "cp examples/shop/shop.env env/; mkdir -p env/lab")
	first, second := l.image(t, "shop-first", "1111111"), l.image(t, "shop-second", "2222222")
	postgres := l.registry + "/postgres:15"
	shop = shop.given("server=vagrant@staging", "ssh_config="+filepath.Join(l.dir, ".vagrant-ssh"), "HOST=shop.lab",
		"DB_PASSWORD=hush", "RESTIC_PASSWORD=hush", "compose_web_image="+first,
		"compose_migrate_image="+postgres, "compose_db_image="+postgres)
	said := func(l rehearsal, words ...string) string {
		t.Helper()
		r := l.mage(t, words...)
		if r.status != 0 {
			t.Fatalf("%v: exit status %d\n%s", words, r.status, r.output)
		}
		return r.output
	}
	ran := func(image, orders string) {
		t.Helper()
		want := image + " " + image + " orders " + orders
		got := l.sh(t, "staging", `
for id in $(docker ps --quiet --filter label=com.docker.compose.project=shop --filter label=com.docker.compose.service=web); do
  docker inspect --format '{{range .Config.Env}}{{if eq (index (split . "=") 0) "GIT_COMMIT"}}{{slice . 11}} {{end}}{{end}}' "$id" | tr -d '\n'
done
printf 'orders '; docker exec shop-db-1 psql -U shop -d shop -Atc 'select count(*) from orders'`)
		if got != want {
			t.Errorf("there is %q, not %q", got, want)
		}
	}

	step(t, "for the first time, and again, where nothing is to change", func(t *testing.T) {
		if out := said(shop, "deploy:to", "shop"); !strings.Contains(out, "starting the stack") {
			t.Errorf("it does not say that it starts:\n%s", out)
		}
		ran("1111111", "0")
		if out := said(shop, "deploy:to", "shop"); !strings.Contains(out, "nothing to change") {
			t.Errorf("a migration that has ended is something to change:\n%s", out)
		}
		if status, _, _ := ask(t, l.staging, "shop.lab"); status != http.StatusOK {
			t.Errorf("it answers %d", status)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	adds := `compose_migrate_command=["--command", "insert into orders default values"]`

	step(t, "both replicas roll under load, after a migration that runs once", func(t *testing.T) {
		leave := visitors(l.staging, "shop.lab", 50, "/")
		out := said(shop.given("compose_web_image="+second, adds), "deploy:to", "shop")
		allServed(t, leave())
		if !strings.Contains(out, "the new web has taken over") || !strings.Contains(out, "backing up what runs") {
			t.Errorf("it says\n%s", out)
		}
		ran("2222222", "1")
	})

	step(t, "a migration that fails is the deployment's failure, and changes nothing", func(t *testing.T) {
		leave := visitors(l.staging, "shop.lab", 50, "/")
		r := shop.given(`compose_migrate_command=["--command", "select from nowhere"]`).mage(t, "deploy:to", "shop")
		allServed(t, leave())
		if r.status == 0 || !strings.Contains(r.output, "migrate failed") || !strings.Contains(r.output, "what ran before answers") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		ran("2222222", "1")
	})

	step(t, "what is backed up restores, and migrates, in a stack of its own", func(t *testing.T) {
		shop.mustMage(t, "ops:backup", "shop")
		if out := said(shop, "ops:drill", "shop"); !strings.Contains(out, "is proven") {
			t.Errorf("the drill says\n%s", out)
		}
		ran("2222222", "1")
	})

	step(t, "back to the release before, under load", func(t *testing.T) {
		leave := visitors(l.staging, "shop.lab", 50, "/")
		shop.mustMage(t, "deploy:rollback", "shop", "-yes")
		allServed(t, leave())
		ran("1111111", "1")
		if r := shop.mage(t, "ops:status", "-instance=shop"); r.status != 0 {
			t.Errorf("it is not well:\n%s", r.output)
		}
	})
}
