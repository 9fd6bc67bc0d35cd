package restore

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/compose"
)

// stackOf is a stack whose folders are in a home.
func stackOf(home string) []byte {
	return []byte(strings.ReplaceAll(`{"services": {
  "django": {"image": "mrs:1", "environment": {"DB_NAME": "mrs", "EMAIL_HOST": "smtp", "SECRET": "a$$b<"},
    "ports": ["1:1"],
    "restart": "always", "labels": {"traefik.enable": "true", "traefik.http.services.mrs.loadbalancer.server.port": "8100"}, "volumes": [
      {"type": "bind", "source": "HOME/log", "target": "/app/log"},
      {"type": "bind", "source": "HOME/mrsattachments", "target": "/app/mrsattachments"},
      {"type": "bind", "source": "HOME/spooler/", "target": "/spooler"},
      {"type": "bind", "source": "HOME/uwsgi.ini", "target": "/uwsgi.ini"},
      {"type": "volume", "source": "cache", "target": "/cache"}]},
  "postgres": {"image": "postgres:17", "volumes": [
      {"type": "bind", "source": "HOME/postgres/data", "target": "/var/lib/postgresql/data"},
      {"type": "bind", "source": "HOME/postgres/dump", "target": "/dump"}]}}}`, "HOME", home))
}

func TestATrialTouchesNothingOfWhatRuns(t *testing.T) {
	home, folder := t.TempDir(), t.TempDir()
	for _, name := range []string{"log", "mrsattachments", "spooler", "postgres/data", "postgres/dump"} {
		if err := os.MkdirAll(filepath.Join(home, name), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, "uwsgi.ini"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, trial := range map[string]Trial{
		"of a restore": {Folder: folder, Database: "mrs_restore", Network: "mrs_default"}, "of a drill": {Folder: folder},
	} {
		text, err := trial.File(stackOf(home))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"SECRET":"a$$b<"`) {
			t.Errorf("%s: a value is another: %s", name, text)
		}
		var got struct {
			Services map[string]struct {
				Environment map[string]string
				Ports       []string
				Restart     string
				Labels      map[string]string
				Volumes     []struct {
					Source, Target string
					ReadOnly       bool `json:"read_only"`
				}
			}
			Networks map[string]map[string]any
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		for service, s := range got.Services {
			if len(s.Ports) > 0 || s.Restart != "" || s.Labels["traefik.enable"] != "false" {
				t.Errorf("%s: %s is %+v", name, service, s)
			}
			for _, v := range s.Volumes {
				inHome := strings.HasPrefix(v.Source, home)
				if inHome != (v.Target == "/uwsgi.ini") || inHome != v.ReadOnly {
					t.Errorf("%s: %s has %+v", name, service, v)
				}
				if _, err := os.Stat(v.Source); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
		app := got.Services["trial"]
		if got := compose.PortOf(app.Labels); got != 8100 || len(app.Labels) != 2 {
			t.Errorf("%s: it is asked at port %d, %v", name, got, app.Labels)
		}
		if len(app.Volumes) != 4 || app.Environment["EMAIL_HOST"] != "127.0.0.1" {
			t.Errorf("%s: the application is %+v", name, app)
		}
		_, ownServer := got.Services["postgres"]
		outside := got.Networks["default"]["internal"] == nil
		if own := trial.Database == ""; ownServer != own || outside == own ||
			(app.Environment["DB_NAME"] == "mrs") != own {
			t.Errorf("%s: %s", name, text)
		}
	}
	if info, err := os.Stat(filepath.Join(folder, "django-spooler")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("the spooler's folder: %v, %v", info, err)
	}
	if _, err := (Trial{}).File([]byte(`{"services": {}}`)); err == nil {
		t.Error("a stack without an application is tried")
	}
}
