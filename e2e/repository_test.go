//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	restserver "github.com/restic/rest-server"
	"golang.org/x/crypto/bcrypt"
)

// A repository has a mirror only where it is a folder: restic writes to the
// others itself. That on restic's own server is tried by a deployment on this
// machine; the campaign has it in the lab, and those on S3 and over sftp (vaults_test.go).

// vault is a repository that is reached by the network.
type vault struct {
	settings []string                      // of the instance that keeps its backups there
	secret   string                        // which nobody may see
	holds    func(t *testing.T, at string) // fails the test unless there is a snapshot in the repository at
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
	oneStep(t, 40*time.Second)
	mrs := newInstance(t, "mrs-vault", 8768)
	v := newRest(t, "127.0.0.1")
	mrs.env = append(mrs.env, v.settings...)
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
	script("drill.sh")
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
}
