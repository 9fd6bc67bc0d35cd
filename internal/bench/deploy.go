package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
)

// taskLine is a line of Ansible's callback profile_tasks: TASK ---- 1.23s.
var taskLine = regexp.MustCompile(`^(.+?) -{3,} *([0-9.]+)s$`)

// onServer is the name of the task that does the deployment on the server.
const onServer = "compose : Deploy, and undo what does not work out"

// Deploy measures deployments of the instance staging in the lab, which must be
// up: without a change, and of a new image, each next to what is the least for
// it, the same by `docker compose` over SSH with neither check nor backup. It
// then prints which tasks of Ansible's cost most.
func Deploy(ctx context.Context) error {
	if err := errors.Join(os.Setenv("MRS_ENV", "lab"), os.Setenv("ANSIBLE_CALLBACKS_ENABLED", "ansible.posix.profile_tasks")); err != nil {
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
	rows := [][]string{{"DEPLOYMENT", "WALL", "ON THE SERVER", "ANSIBLE", "RATIO TO COMPOSE"}}
	const rounds = 3
	var same, other, plainSame, plainOther, sameThere, otherThere []time.Duration
	var cost map[string]time.Duration
	for range rounds {
		for _, m := range []struct {
			tag         string
			wall, there *[]time.Duration
		}{{"b", &other, &otherThere}, {"b", &same, &sameThere}, {"a", &other, &otherThere}} {
			r, err := b.deploy(ctx, m.tag)
			if err != nil {
				return err
			}
			*m.wall, *m.there = append(*m.wall, r.wall), append(*m.there, r.tasks[onServer])
			cost = r.tasks
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
	for _, m := range []struct {
		name               string
		wall, there, plain []time.Duration
	}{{"nothing to change", same, sameThere, plainSame}, {"a new image", other, otherThere, plainOther}} {
		wall, there, plain := median(m.wall), median(m.there), median(m.plain)
		rows = append(rows,
			[]string{m.name, seconds(wall), seconds(there), seconds(wall - there), fmt.Sprintf("%.1f", float64(wall)/float64(plain))},
			[]string{m.name + ", docker compose alone", seconds(plain), "", "", "1.0"})
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	names := make([]string, 0, len(cost))
	for name := range cost {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return int(cost[b] - cost[a]) })
	tasks := [][]string{{"TASK OF THE LAST DEPLOYMENT", "TOOK"}}
	for _, name := range names[:min(8, len(names))] {
		tasks = append(tasks, []string{name, seconds(cost[name])})
	}
	return console.Table(tasks...)
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
	tasks map[string]time.Duration
}

// deploy deploys an image as an operator does.
func (b deployments) deploy(ctx context.Context, tag string) (deployed, error) {
	console.Say("deploying %s:%s", b.image, tag)
	start := time.Now()
	out, err := local.Combined(ctx, b.binary, "deploy:staging", "-yes", "-image="+b.image+":"+tag)
	r := deployed{wall: time.Since(start), tasks: map[string]time.Duration{}}
	if err != nil {
		return r, err
	}
	lines := bufio.NewScanner(strings.NewReader(out))
	for lines.Scan() {
		if m := taskLine.FindStringSubmatch(lines.Text()); m != nil {
			took, _ := strconv.ParseFloat(m[2], 64)
			r.tasks[m[1]] = time.Duration(took * float64(time.Second))
		}
	}
	if err := lines.Err(); err != nil || len(r.tasks) > 0 {
		return r, err
	}
	return r, errors.New("the collection ansible.posix, which tells how long tasks take, is missing\nhint: apt-get install ansible")
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
