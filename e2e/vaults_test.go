//go:build e2e && soak

package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// newS3 serves S3 at an address of this machine's; it is no place for whoever does not sign.
func newS3(t *testing.T, host string) vault {
	t.Helper()
	const account, secret = "AKIA3", "a-secret-that-nobody-may-see-4417"
	memory := s3mem.New()
	s3 := gofakes3.New(memory).Server()
	address := serve(t, host, func(w http.ResponseWriter, r *http.Request) {
		sign := r.Header.Get("Authorization")
		if !strings.HasPrefix(sign, "AWS4-HMAC-SHA256 Credential="+account+"/") || !strings.Contains(sign, "/eu-west-3/s3/") {
			http.Error(w, "<Error><Code>AccessDenied</Code></Error>", http.StatusForbidden)
			return
		}
		s3.ServeHTTP(w, r)
	})
	return vault{
		settings: []string{
			"RESTIC_REPOSITORY=s3:http://" + address + "/vault/mrs",
			"S3_ACCESS_KEY_ID=" + account, "S3_SECRET_ACCESS_KEY=" + secret, "S3_REGION=eu-west-3",
		},
		secret: secret,
		holds: func(t *testing.T, at string) {
			t.Helper()
			found, err := memory.ListBucket("vault", &gofakes3.Prefix{HasPrefix: true, Prefix: at + "/snapshots/"}, gofakes3.ListBucketPage{})
			if err != nil || len(found.Contents) == 0 {
				t.Errorf("it has no snapshot: %v", err)
			}
		},
	}
}

// sftpRepository has ecole keep its backups with another account of its server, by restic's own sftp.
func sftpRepository(t *testing.T, l rehearsal) {
	l.sh(t, "staging", `
useradd --create-home --shell /bin/bash vault
install -d -m 0700 -o vault -g vault /home/vault/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/vault
install -m 0600 -o vault -g vault /root/.ssh/vault.pub /home/vault/.ssh/authorized_keys
printf 'Host vault\n HostName 127.0.0.1\n User vault\n IdentityFile /root/.ssh/vault\n HostKeyAlias vault\n' >>/root/.ssh/config
ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | sed 's/^[^ ]*/vault/' >>/root/.ssh/known_hosts`)
	l.cycle(t, "RESTIC_REPOSITORY=sftp:vault:ecole")
	if n := l.sh(t, "staging", "ls /home/vault/ecole/snapshots | wc -l"); n == "0" {
		t.Error("there is no snapshot")
	}
	l.sh(t, "staging", "pkill -KILL -u vault || true; while pgrep -u vault >/dev/null; do sleep 0.1; done; userdel --remove vault; rm /root/.ssh/vault*")
}

// cycle has ecole keep its backups as settings say, in a repository that has no mirror, and no longer. It returns
// what was said meanwhile.
func (l rehearsal) cycle(t *testing.T, settings ...string) (said string) {
	t.Helper()
	forget := func() { l.sh(t, "staging", "rm -f /home/mrs-ecole/.restic_id") } // it is another one
	ecole := func(words ...string) {
		t.Helper()
		r := l.clone.with(settings...).run(t, l.targets(words...)...)
		said += r.output
		if r.status != 0 {
			t.Errorf("%v: exit status %d\n%s", words, r.status, r.output)
		}
	}
	people := func() string {
		return l.sh(t, "staging", "docker exec mrs-ecole-postgres-1 psql -U django -d mrs -XqtAc 'select count(*) from person_person'")
	}
	forget()
	ecole("deploy:to", "ecole")
	ecole("ops:manage", "ecole", "seed 100")
	ecole("ops:backup", "ecole")
	ecole("ops:drill", "ecole")
	ecole("ops:prune", "ecole")
	was := people()
	l.mustMage(t, "ops:manage", "ecole", "seed 100")
	ecole("ops:restore", "ecole", "latest", "-yes")
	if now := people(); now != was {
		t.Errorf("there are %s people, not %s", now, was)
	}
	ecole("ops:fetchBackup", "ecole", "-to="+filepath.Join(t.TempDir(), "home"))
	forget()
	l.mustMage(t, "deploy:to", "ecole")
	return said + l.sh(t, "staging", "journalctl --no-pager -u 'mrs-ecole-*'; cat /var/log/mrs-ops/mrs-ecole*")
}

// vault has ecole keep its backups in a vault that this machine serves.
func (l rehearsal) vault(t *testing.T, begin func(t *testing.T, host string) vault) {
	t.Helper()
	v := begin(t, l.bridge(t))
	if said := l.cycle(t, v.settings...); strings.Contains(said, v.secret) {
		t.Error("the secret of the account was said")
	}
	v.holds(t, "mrs")
}
