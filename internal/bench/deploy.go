package bench

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
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
	if _, err := b.deploy(ctx, "a"); err != nil {
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
			r, err := b.deploy(ctx, m.tag)
			if err != nil {
				return err
			}
			*m.wall, steps = append(*m.wall, r.wall), r.steps
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
		if _, err := b.deploy(ctx, "a"); err != nil {
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

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// deployments are what is measured.
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
		name := "mrs-ops/bench:" + tag
		dockerfile := "FROM betagouv/mrs:master\nENV GIT_COMMIT=bench-" + tag + "\n"
		if _, err := local.Input(ctx, dockerfile, engine.Docker("build", "--quiet", "--tag", name, "-")...); err != nil {
			return b, err
		}
		pushed, err := local.Output(ctx, binary, "lab:push", name)
		if err != nil {
			return b, err
		}
		b.image, _, _ = strings.Cut(pushed[strings.LastIndexByte(pushed, '\n')+1:], ":"+tag)
	}
	return b, nil
}

// deployed is how one deployment went.
type deployed struct {
	wall  time.Duration
	steps []step
}

// step is what was done after a line was said.
type step struct {
	said string
	took time.Duration
}

// deploy deploys an image as an operator does.
func (b deployments) deploy(ctx context.Context, tag string) (r deployed, err error) {
	console.Say("deploying %s:%s", b.image, tag)
	cmd := exec.CommandContext(ctx, b.binary, "deploy:staging", "-yes", "-image="+b.image+":"+tag)
	read, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); write.Close() }()
	var all strings.Builder
	last, at := "(before it says anything)", start
	for lines := bufio.NewScanner(read); lines.Scan(); {
		now := time.Now()
		r.steps = append(r.steps, step{last, now.Sub(at)})
		last, at = lines.Text(), now
		all.WriteString(last + "\n")
	}
	r.wall = time.Since(start)
	if err := <-ended; err != nil {
		return r, fmt.Errorf("%w\n%s", err, all.String())
	}
	return r, nil
}

// compose brings the image up by docker compose alone.
func (b deployments) compose(ctx context.Context, tag string) (time.Duration, error) {
	console.Say("docker compose alone: %s:%s", b.image, tag)
	file := filepath.Join(b.inst.Get("home"), "docker-compose.yml")
	script := fmt.Sprintf("sudo sed -i 's|image: %s:.*|image: %s:%s|' %s && sudo docker compose --project-name %s --file %s pull --quiet && sudo docker compose --project-name %s --file %s up --detach --wait",
		b.image, b.image, tag, file, b.inst.Project(), file, b.inst.Project(), file)
	start := time.Now()
	_, host, _ := strings.Cut(b.inst.Get("server"), "@")
	cmd := exec.CommandContext(ctx, "ssh", "-F", b.inst.Get("ssh_config"), host, script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("docker compose alone: %w\n%s", err, out)
	}
	return time.Since(start), nil
}
