//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	restserver "github.com/restic/rest-server"
	"golang.org/x/crypto/bcrypt"
)

// A repository has a mirror only where it is a folder: restic writes to the
// others itself. The one over sftp is tried in the lab, where an account of a
// server is the vault; the others against their own servers, by a deployment on
// this machine. The campaign (soak_test.go) has all of them in the lab.

// vault is a repository that is reached by the network.
type vault struct {
	settings []string                      // of the instance that keeps its backups there
	secret   string                        // which nobody may see
	holds    func(t *testing.T, at string) // fails the test unless there is a snapshot in the repository at
}

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

// newRest is restic's own server, at an address of this machine's; the password is in the repository's address.
func newRest(t *testing.T, host string) vault {
	t.Helper()
	const account, password = "vault", "hush-rest-4418"
	folder := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(folder+"/.htpasswd", fmt.Appendf(nil, "%s:%s\n", account, hash), 0o600); err != nil {
		t.Fatal(err)
	}
	handler, err := restserver.NewHandler(&restserver.Server{Path: folder, HtpasswdPath: folder + "/.htpasswd"})
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, host, handler.ServeHTTP)
	return vault{
		settings: []string{"RESTIC_REPOSITORY=rest:http://" + account + ":" + password + "@" + address + "/mrs/"},
		secret:   password,
		holds: func(t *testing.T, at string) {
			t.Helper()
			if found, err := os.ReadDir(filepath.Join(folder, at, "snapshots")); err != nil || len(found) == 0 {
				t.Errorf("it has no snapshot: %v", err)
			}
		},
	}
}

func TestARepositoryOnAServerOfItsOwnHasEverythingAFolderHas(t *testing.T) {
	on(t, here, 80*time.Second)
	mrs := newInstance(t, "mrs-vault", 8768)
	own := mrs.env
	for _, c := range []struct {
		name  string
		begin func(*testing.T, string) vault
		drill bool
	}{
		{"restic's own server", newRest, true},
		{"S3", newS3, false}, // which gives it no other files than to a restore
	} {
		step(t, c.name, func(t *testing.T) {
			v := c.begin(t, "127.0.0.1")
			mrs.env = slices.Concat(own, v.settings)
			_ = os.Remove(filepath.Join(mrs.home, ".restic_id")) // it is another one
			var said string
			script := func(words ...string) {
				t.Helper()
				words[0] = filepath.Join(mrs.home, words[0])
				r := run(t, nil, words...)
				said += r.output
				if r.status != 0 {
					t.Errorf("%v: exit status %d\n%s", words, r.status, r.output)
				}
			}
			const people = "select count(*) from person_person"
			mrs.mustDeploy(t)
			mrs.compose(t, "exec", "-T", "django", "mrs", "seed", "100")
			script("backup.sh")
			if c.drill {
				script("drill.sh")
			}
			script("prune.sh")
			was := mrs.sql(t, people)
			mrs.compose(t, "exec", "-T", "django", "mrs", "seed", "100")
			script("restore.sh", "latest")
			if now := mrs.sql(t, people); now != was {
				t.Errorf("there are %s people, not %s", now, was)
			}
			said += must(t, "bash", "-c", "cat /var/log/mrs-ops/mrs-vault* 2>/dev/null || true")
			if strings.Contains(said, v.secret) {
				t.Error("the secret of the account was said")
			}
			v.holds(t, "mrs")
		})
	}
}

// sftpRepository has ecole keep its backups with another account of its server, by restic's own sftp. Where it is not
// thorough, drill and prune are left out: of a repository that is not a folder here, restic's own server has them.
func sftpRepository(t *testing.T, l rehearsal, thorough bool) {
	l.sh(t, "staging", `
useradd --create-home --shell /bin/bash vault
install -d -m 0700 -o vault -g vault /home/vault/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/vault
install -m 0600 -o vault -g vault /root/.ssh/vault.pub /home/vault/.ssh/authorized_keys
printf 'Host vault\n HostName 127.0.0.1\n User vault\n IdentityFile /root/.ssh/vault\n HostKeyAlias vault\n' >>/root/.ssh/config
ssh-keyscan -t ed25519 127.0.0.1 2>/dev/null | sed 's/^[^ ]*/vault/' >>/root/.ssh/known_hosts`)
	l.cycle(t, thorough, "RESTIC_REPOSITORY=sftp:vault:ecole")
	if n := l.sh(t, "staging", "ls /home/vault/ecole/snapshots | wc -l"); n == "0" {
		t.Error("there is no snapshot")
	}
	l.sh(t, "staging", "pkill -KILL -u vault || true; while pgrep -u vault >/dev/null; do sleep 0.1; done; userdel --remove vault; rm /root/.ssh/vault*")
	if !thorough {
		l.remove(t, "staging", "mrs-ecole", "/home/mrs-ecole")
	}
}

// cycle has ecole keep its backups as settings say, in a repository that has no mirror, and no longer. It returns
// what was said meanwhile.
func (l rehearsal) cycle(t *testing.T, thorough bool, settings ...string) (said string) {
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
	if thorough {
		ecole("ops:drill", "ecole")
		ecole("ops:prune", "ecole")
	}
	was := people()
	l.mustMage(t, "ops:manage", "ecole", "seed 100")
	ecole("ops:restore", "ecole", "latest", "-yes")
	if now := people(); now != was {
		t.Errorf("there are %s people, not %s", now, was)
	}
	ecole("ops:fetchBackup", "ecole", "-to="+filepath.Join(t.TempDir(), "home"))
	if thorough {
		forget()
		l.mustMage(t, "deploy:to", "ecole")
	}
	return said + l.sh(t, "staging", "journalctl --no-pager -u 'mrs-ecole-*'; cat /var/log/mrs-ops/mrs-ecole*")
}

// vault has ecole keep its backups in a vault that this machine serves.
func (l rehearsal) vault(t *testing.T, begin func(t *testing.T, host string) vault) {
	t.Helper()
	v := begin(t, l.bridge(t))
	if said := l.cycle(t, true, v.settings...); strings.Contains(said, v.secret) {
		t.Error("the secret of the account was said")
	}
	v.holds(t, "mrs")
}
