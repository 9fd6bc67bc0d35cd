package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
)

// Deploy measures deployments of the instance staging in the lab, which must be
// up: without a change, and of a new image, each next to what is the least for
// it, the same by `docker compose` over SSH with neither check nor backup. It
// then prints what took longest of the last one.
func Deploy(ctx context.Context) error {
	if err := os.Setenv("MRS_ENV", "lab"); err != nil {
		return err
	}
	inst, err := instance.Load(".", "staging", os.Environ())
	if err != nil {
		return fmt.Errorf("%w\nhint: mage lab:up makes the lab", err)
	}
	b, err := newDeployments(ctx, inst)
	if err != nil {
		return err
	}
	// So that the first one that counts has something to change.
	if _, _, err := b.deploy(ctx, "a"); err != nil {
		return err
	}
	const rounds = 3
	var same, other, plainSame, plainOther []time.Duration
	var steps []step
	for range rounds {
		for _, m := range []struct {
			tag  string
			wall *[]time.Duration
		}{{"b", &other}, {"b", &same}, {"a", &other}} {
			wall, said, err := b.deploy(ctx, m.tag)
			if err != nil {
				return err
			}
			*m.wall, steps = append(*m.wall, wall), said
		}
		for _, m := range []struct {
			tag  string
			wall *[]time.Duration
		}{{"b", &plainOther}, {"b", &plainSame}} {
			took, err := b.compose(ctx, m.tag)
			if err != nil {
				return err
			}
			*m.wall = append(*m.wall, took)
		}
		// docker-compose.yml is ours again.
		if _, _, err := b.deploy(ctx, "a"); err != nil {
			return err
		}
	}
	rows := [][]string{{"DEPLOYMENT", "WALL", "RATIO TO COMPOSE"}}
	for _, m := range []struct {
		name        string
		wall, plain []time.Duration
	}{{"nothing to change", same, plainSame}, {"a new image", other, plainOther}} {
		wall, plain := median(m.wall), median(m.plain)
		rows = append(rows,
			[]string{m.name, seconds(wall), fmt.Sprintf("%.1f", float64(wall)/float64(plain))},
			[]string{m.name + ", docker compose alone", seconds(plain), "1.0"})
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	slices.SortFunc(steps, func(a, b step) int { return cmp.Compare(b.took, a.took) })
	said := [][]string{{"OF THE LAST DEPLOYMENT", "TOOK"}}
	for _, s := range steps[:min(8, len(steps))] {
		said = append(said, []string{s.said, seconds(s.took)})
	}
	return console.Table(said...)
}

type deployments struct {
	binary string
	inst   *instance.Instance
	image  string // without the tag
}

// newDeployments gives the lab two images that differ.
func newDeployments(ctx context.Context, inst *instance.Instance) (deployments, error) {
	binary, err := os.Executable()
	if err != nil {
		return deployments{}, err
	}
	b := deployments{binary: binary, inst: inst}
	for _, tag := range []string{"a", "b"} {
		image, err := pushed(ctx, binary, "mrs-ops/bench:"+tag, "FROM betagouv/mrs:master\nENV GIT_COMMIT=bench-"+tag+"\n")
		if err != nil {
			return b, err
		}
		b.image = strings.TrimSuffix(image, ":"+tag)
	}
	return b, nil
}

// step is what was done after a line was said.
type step struct {
	said string
	took time.Duration
}

// deploy deploys an image as an operator does.
func (b deployments) deploy(ctx context.Context, tag string) (wall time.Duration, steps []step, err error) {
	console.Say("deploying %s:%s", b.image, tag)
	start := time.Now()
	lines, err := runLines(ctx, nil, b.binary, "deploy:staging", "-yes", "-image="+b.image+":"+tag)
	return time.Since(start), stepsOf(start, lines), err
}

// stepsOf are those of a command that has begun at start, without what is done after its last line.
func stepsOf(start time.Time, lines []printed) (steps []step) {
	said, at := "(before it says anything)", start
	for _, line := range lines {
		steps = append(steps, step{said, line.at.Sub(at)})
		said, at = line.text, line.at
	}
	return steps
}

// compose brings the image up by docker compose alone.
func (b deployments) compose(ctx context.Context, tag string) (time.Duration, error) {
	console.Say("docker compose alone: %s:%s", b.image, tag)
	file := filepath.Join(b.inst.Get("home"), "docker-compose.yml")
	compose := fmt.Sprintf("sudo docker compose --project-name %s --file %s", b.inst.Project(), file)
	script := fmt.Sprintf("sudo sed -i 's|image: %s:.*|image: %[1]s:%s|' %s && ", b.image, tag, file) +
		compose + " pull --quiet && " + compose + " up --detach --wait"
	start := time.Now()
	_, host, _ := strings.Cut(b.inst.Get("server"), "@")
	cmd := exec.CommandContext(ctx, "ssh", "-F", b.inst.Get("ssh_config"), host, script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("docker compose alone: %w\n%s", err, out)
	}
	return time.Since(start), nil
}
