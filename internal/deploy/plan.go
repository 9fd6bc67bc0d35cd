// Package deploy deploys an instance: it brings together who (instance), what
// (stack) and how (bigsudo), and says how it went.
//
// The working directory is the project's root. The steps on the host are
// mrs-host's, which is handed a request; this package must not repeat them.
package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/program"
	"github.com/betagouv/mrs-ops/internal/stack"
	"github.com/betagouv/mrs-ops/internal/stack/model"
	"github.com/betagouv/mrs-ops/internal/target"
)

// Plan is all that deploying an instance needs. Its JSON is what the playbook
// reads; secrets are in it.
type Plan struct {
	Name      string            `json:"name"`
	Images    map[string]string `json:"images"`  // by service
	Published []string          `json:"-"`       // TCP ports of the host
	Program   *program.Built    `json:"program"` // mrs-host, for servers with this machine's processor
	Request   hostapi.Deploy    `json:"request"` // to mrs-host

	inst *instance.Instance
}

// NewPlan plans the deployment of the instance called name, with environ as the
// process environment ([instance.Load]).
func NewPlan(ctx context.Context, name string, environ []string) (*Plan, error) {
	inst, err := instance.Load(".", name, environ)
	if err != nil {
		return nil, err
	}
	rendered, err := stack.Render(ctx, stack.Options{
		Dir: "compose", Files: inst.ComposeFiles(), Name: inst.Project(), Lookup: inst.Lookup, Overrides: inst.Overrides(),
	})
	if err != nil {
		return nil, err
	}
	for _, note := range rendered.Notes {
		console.Say("%s", note)
	}
	if inst.Name == instance.Branches { // which have one env file, and each a project of its own
		inst.Name = inst.Project()
	}
	plan := &Plan{Name: inst.Name, Images: rendered.Images, Published: rendered.Published, inst: inst}
	plan.Request, err = request(inst, rendered)
	return plan, err
}

func request(inst *instance.Instance, rendered *stack.Stack) (d hostapi.Deploy, err error) {
	mrs := model.Named(rendered.Services, hostapi.MRS).Name != ""
	d = hostapi.Deploy{
		Version: hostapi.Version,
		Name:    inst.Name, Project: inst.Project(), Folder: target.Folder(inst),
		File: string(rendered.YAML), Services: rendered.Services, Pull: true, Networks: rendered.Networks,
		URL: inst.URL(), Names: []string{inst.Alias()}, Page: inst.Get("healthcheck_path"),
		BasicAuth: inst.Get("BASICAUTH_DISABLE") == "", Jobs: inst.Get("wait_for_jobs") != "" && mrs,
		Database: inst.Get("DB_NAME"), Role: inst.Get("DB_USER"), MaxConn: inst.Get("MAXCONN"),
		Persistent: inst.Persistent(), Production: inst.Production(), Who: target.Operator(),
	}
	for _, f := range rendered.Folders {
		if !path.IsAbs(f.Path) {
			f.Path = path.Join(d.Folder, f.Path)
		}
		d.Folders = append(d.Folders, hostapi.Folder{Path: f.Path, UID: f.UID, GID: f.GID, Mode: f.Mode})
	}
	for _, f := range rendered.Files {
		d.Carried = append(d.Carried, hostapi.Carried(f))
	}
	if token := inst.Get("SLACK_TOKEN"); token != "" {
		d.Slack = inst.Get("SLACK_URL") + "/" + token
	}
	database := model.Of(d.Services, hostapi.Database).Name
	if password := inst.Get("RESTIC_PASSWORD"); password != "" && d.Persistent && database != "" {
		d.Backup = &hostapi.Backup{
			Password: password, Repository: inst.Get("RESTIC_REPOSITORY"),
			S3: hostapi.S3{KeyID: inst.Get("S3_ACCESS_KEY_ID"), Secret: inst.Get("S3_SECRET_ACCESS_KEY"),
				Region: inst.Get("S3_REGION")},
			Mirror: inst.Get("LFTP_DSN"), MirrorPlain: inst.Get("LFTP_PLAIN") != "",
		}
	}
	seconds := func(name string) int {
		n, e := strconv.Atoi(cmp.Or(inst.Get(name), "0"))
		if e != nil {
			err = errors.Join(err, fmt.Errorf("%s is no number of seconds: %w", name, e))
		}
		return n
	}
	d.Timeout, d.Drain = seconds("healthcheck_timeout"), seconds("request_timeout")
	if !d.Persistent {
		d.Lifetime = seconds("lifetime")
	}
	return d, err
}

// Print prints the docker-compose.yml of the instance called name, or with
// asJSON its whole [Plan].
func Print(ctx context.Context, name string, asJSON bool) error {
	plan, err := NewPlan(ctx, name, os.Environ())
	if err != nil {
		return err
	}
	if asJSON {
		built, err := program.Build(ctx, hostProgram, program.Here())
		if err != nil {
			return err
		}
		plan.Program = &built
		return console.JSON(plan)
	}
	_, err = os.Stdout.WriteString(plan.Request.File)
	return err
}

// hostProgram is what decides on the server.
const hostProgram = "mrs-host"

// PrintProgram builds mrs-host for a processor, by the name that uname -m has
// for it, and prints in JSON where it is.
func PrintProgram(ctx context.Context, machine string) error {
	built, err := program.Build(ctx, hostProgram, machine)
	if err != nil {
		return err
	}
	return console.JSON(built)
}

// shown is a variable as it is shown.
type shown struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"`
	Secret bool   `json:"secret"`
	Length int    `json:"length,omitempty"` // of a secret, as check
	Check  string `json:"check,omitempty"`  // [instance.Value.Proof]
}

func newShown(v instance.Value) shown {
	length, check := v.Proof()
	return shown{v.Name, v.Masked(), v.Source, v.Secret, length, check}
}

func (s shown) row() []string {
	value := s.Value
	switch {
	case s.Check != "":
		value += fmt.Sprintf(" (%d characters, check %s)", s.Length, s.Check)
	case s.Length > 0:
		value += fmt.Sprintf(" (%d characters)", s.Length)
	}
	return []string{s.Name, value, s.Source}
}

// Show prints the variables of the instance called name and where each value
// came from, of secrets the proof that they arrived, and returns what is wrong
// with them.
func Show(name string, asJSON bool) error {
	inst, invalid := instance.Load(".", name, os.Environ())
	if inst == nil {
		return invalid
	}
	var values []shown
	table := [][]string{{"VARIABLE", "VALUE", "FROM"}}
	for _, v := range inst.Values() {
		s := newShown(v)
		values, table = append(values, s), append(table, s.row())
	}
	print := func() error { return console.Table(table...) }
	if asJSON {
		print = func() error { return console.JSON(values) }
	}
	return errors.Join(print(), invalid)
}
