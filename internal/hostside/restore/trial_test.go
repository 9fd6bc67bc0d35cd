package restore

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/stack/model"
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
		"of a restore": {Folder: folder, Database: "mrs_restore", Network: "mrs_default", Was: "mrs"}, "of a drill": {Folder: folder},
	} {
		trial.Server, trial.Site, trial.Folders = "postgres", "django", []string{"log", "mrsattachments"}
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
		if got := model.PortOf(app.Labels); got != 8100 || len(app.Labels) != 2 {
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

func TestATrialOfAnotherApplicationRunsItsOneShotsFirst(t *testing.T) {
	config := []byte(`{"services": {
  "web": {"image": "w", "environment": {"DATABASE_URL": "postgres://me:hush@db/shop?sslmode=disable", "NAME": "shop", "OTHER": "shops"},
    "depends_on": {"migrate": {"condition": "service_completed_successfully"}, "db": {"condition": "service_healthy"}}},
  "migrate": {"image": "w", "command": ["migrate"], "depends_on": {"seed": {"condition": "service_completed_successfully"}}},
  "seed": {"image": "s"}, "db": {"image": "p", "labels": {"mrs-ops.database": "true"}}}}`)
	trial := Trial{Folder: t.TempDir(), Database: "shop_restore", Was: "shop", Network: "x", Server: "db", Site: "web"}
	text, err := trial.File(config)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Services map[string]struct {
			Environment map[string]string
			DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
		}
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	env := got.Services["trial"].Environment
	if env["DATABASE_URL"] != "postgres://me:hush@db/shop_restore?sslmode=disable" || env["NAME"] != "shop_restore" || env["OTHER"] != "shops" {
		t.Errorf("its database is %v", env)
	}
	if len(got.Services) != 3 || got.Services["trial"].DependsOn["migrate"].Condition == "" ||
		got.Services["migrate"].DependsOn["seed"].Condition == "" || got.Services["db"].Environment != nil {
		t.Errorf("%s", text)
	}
}
