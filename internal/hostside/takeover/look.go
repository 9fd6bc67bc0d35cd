package takeover

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/generation"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
)

// About how long it takes, as the lab has it on two busy cores: the load balancer from the end of the old one until the
// new one serves; the site, whose PostgreSQL and application are replaced one after the other, which can't run twice.
// And how much a second an old backup reads.
const (
	balancerAway = 30
	siteAway     = 75
	readsASecond = 20 << 20
)

// supported is until when systems are, by ID and VERSION_ID of os-release(5): of those that such servers have.
var supported = map[string]string{
	"debian 9": "2022-06", "debian 10": "2024-06", "debian 11": "2026-08", "debian 12": "2028-06",
	"ubuntu 16.04": "2021-04", "ubuntu 18.04": "2023-05", "ubuntu 20.04": "2025-05", "ubuntu 22.04": "2027-04",
	"ubuntu 24.04": "2029-04", "centos 7": "2024-06", "centos 8": "2021-12", "centos 9": "2027-05",
}

// look is what is found.
type look struct {
	*Server
	hostapi.OldServer
	containers []docker.Container
}

func (l *look) thing(where, what, is, after string) {
	l.Things = append(l.Things, hostapi.OldThing{Where: where, What: what, Is: is, After: after})
}

func (l *look) problem(where string, blocks bool, mend, format string, args ...any) {
	l.Problems = append(l.Problems,
		hostapi.OldProblem{Where: where, What: fmt.Sprintf(format, args...), Mend: mend, Blocks: blocks})
}

// Look tells what the server has of the old system, and what becomes of it. It changes nothing.
func (s *Server) Look(ctx context.Context) (hostapi.OldServer, error) {
	l := &look{Server: s}
	l.system()
	if err := l.engine(ctx); err != nil {
		return l.OldServer, err
	}
	l.balancer(ctx)
	for _, file := range s.found("/home/*/" + current) {
		home := &Instance{Server: s, Project: filepath.Base(filepath.Dir(file)), Folder: filepath.Dir(file)}
		if own, _ := home.kept(); own != "" {
			l.thing(home.Project, "home", "taken over", "mage takeover:back goes back, by what is in "+own)
		} else if generation.Foreign(s.real(home.Folder)) {
			if _, runs, _ := home.service(ctx, hostapi.MRS); runs || s.is(home.path("mrsattachments")) {
				l.home(ctx, home)
			}
		}
	}
	l.neighbours()
	l.shared(ctx)
	return l.OldServer, nil
}

func (l *look) system() {
	values := map[string]string{}
	for line := range strings.Lines(l.text("/etc/os-release")) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		values[name] = strings.Trim(value, `"'`)
	}
	l.thing("host", "system", values["PRETTY_NAME"], "kept")
	until, known := supported[values["ID"]+" "+values["VERSION_ID"]]
	if end, err := time.Parse("2006-01", until); known && err == nil && l.Now().After(end.AddDate(0, 1, 0)) {
		l.problem("host", false, "go over all the same, then to a new server: docs/cookbook.fr.rst",
			"%s has had no updates since %s", values["PRETTY_NAME"], until)
	} else if !known {
		l.problem("host", false, "see until when it has updates", "whether %s is supported is not known here",
			values["PRETTY_NAME"])
	}
	mode := map[string]string{"1": "enforcing", "0": "permissive"}[strings.TrimSpace(l.text("/sys/fs/selinux/enforce"))]
	if mode != "" {
		l.thing("host", "SELinux", mode, "left alone: what units run is in /usr/local/lib, where they may")
	}
	for _, fact := range l.found("/etc/ansible/facts.d/*.fact") {
		info, err := os.Stat(l.real(fact))
		if err != nil {
			continue
		}
		l.thing("host", filepath.Base(fact), info.Mode().Perm().String(), "left alone: roles remember in it")
		if info.Mode().Perm()&0o004 != 0 {
			l.problem("host", false, "chmod 0700 "+fact,
				"everybody on the server may read %s, and a webhook or passwords in it", fact)
		}
	}
	if l.is("/home/netdata") {
		l.thing("host", "netdata", "built in /home/netdata", "left alone: mage host:netdata replaces it, once you want")
	}
	l.thing("host", "accounts, sshd, firewall", "", "left alone: mage host:ssh and host:traefik, once you want")
}

func (l *look) engine(ctx context.Context) error {
	version, err := l.docker(ctx, "version", "--format", "{{.Server.Version}}")
	if err == nil {
		l.containers, err = l.Containers(ctx)
	}
	if err != nil {
		return fmt.Errorf("the Docker engine does not answer, so nothing is known of what runs: %w", err)
	}
	l.thing("host", "Docker engine", strings.TrimSpace(version), "kept, and not restarted")
	if n, _ := strconv.Atoi(strings.Split(version, ".")[0]); n < 20 {
		l.problem("host", true, "update it in a maintenance window: all containers of the server end meanwhile",
			"Docker engine %s is older than 20.10, the oldest that this was tried with", strings.TrimSpace(version))
	}
	if version, err := l.docker(ctx, "compose", "version", "--short"); err == nil {
		l.thing("host", "Compose plugin", strings.TrimSpace(version), "kept")
	} else {
		l.thing("host", "Compose plugin", "none", "installed")
	}
	if version, err := l.Run(ctx, undoes, "/", nil, "restic", "version"); err == nil {
		l.thing("host", "restic", strings.TrimSpace(version), "kept")
	}
	return nil
}

var (
	versionLine = regexp.MustCompile(`(?m)^Version:\s*v?(\S+)`)
	argument    = regexp.MustCompile(`(?i)^--([a-z0-9._-]+)(?:=(.*))?$`)
	quoted      = regexp.MustCompile("`([^`]+)`")
	// two names in a rule, a name in braces: what Traefik 3 reads as nothing, unless it is told to.
	secondSyntax = regexp.MustCompile("(?i)(?:Host|Headers|Path|PathPrefix|Method)\\([^)]*`\\s*,|\\{[^}]*:?[^}]*\\}")
)

func (l *look) balancer(ctx context.Context) {
	i := slices.IndexFunc(l.containers, func(c docker.Container) bool { return c.Name == balancer && c.Running })
	if i < 0 {
		l.problem("traefik", false, "mage host:traefik HOST makes one", "no container called traefik runs")
		return
	}
	c := l.containers[i]
	said, err := l.docker(ctx, "exec", c.ID, "traefik", "version")
	version := "unknown"
	if m := versionLine.FindStringSubmatch(said); err == nil && m != nil {
		version = m[1]
	}
	if c.Labels[ourBalancer] != "" {
		l.thing("traefik", "Traefik", version, "kept: it is this project's already")
		return
	}
	arguments := map[string]string{}
	raw, _ := l.docker(ctx, "inspect", "--format", "{{json .Args}}", c.ID)
	var words []string
	_ = json.Unmarshal([]byte(raw), &words)
	for _, word := range words {
		if m := argument.FindStringSubmatch(word); m != nil {
			arguments[strings.ToLower(m[1])] = m[2]
		}
	}
	l.Traefik = hostapi.OldTraefik{Version: version,
		Directory: arguments["certificatesresolvers.leresolver.acme.caserver"],
		Email:     arguments["certificatesresolvers.leresolver.acme.email"]}
	l.thing("traefik", "Traefik", version+", of "+c.Named, "replaced by Traefik 3, which reads rules of Traefik 2 too")
	if strings.HasPrefix(version, "3") && !strings.EqualFold(arguments["core.defaultrulesyntax"], "v2") {
		var dead []string
		for _, c := range l.containers {
			for _, rule := range rules(c) {
				if secondSyntax.MatchString(rule) {
					dead = append(dead, rule)
				}
			}
		}
		if len(dead) > 0 {
			l.problem("traefik", false, "mage takeover:run has them read again",
				"it is version 3 by now, which does not read rules of Traefik 2, so nothing is served by: %s",
				strings.Join(dead, "; "))
		}
	}
	info, err := os.Stat(l.real(acme))
	var store map[string]struct{ Certificates []json.RawMessage }
	_ = json.Unmarshal([]byte(l.text(acme)), &store)
	n := 0
	for _, resolver := range store {
		n += len(resolver.Certificates)
	}
	l.thing("traefik", "certificates", fmt.Sprint(n), "kept, and not asked for again")
	if err == nil && info.Mode().Perm() != 0o600 {
		l.problem("traefik", false, "chmod 0600 "+acme,
			"Traefik does not read %s, whose mode is %o", acme, info.Mode().Perm())
	}
	if l.is(traefik + "/htpasswd/root") {
		l.thing("traefik", "htpasswd", "a folder", "kept: who gets in by it still does")
	}
}

// rules are those that a container's labels have for the load balancer.
func rules(c docker.Container) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(c.Labels)) {
		if strings.HasPrefix(name, "traefik.http.routers.") && strings.HasSuffix(name, ".rule") {
			all = append(all, c.Labels[name])
		}
	}
	return all
}

func (l *look) neighbours() {
	names := map[string][]string{}
	for _, c := range l.containers {
		project := c.Labels["com.docker.compose.project"]
		of := func(h hostapi.OldHome) bool { return h.Name == project }
		if c.Name == balancer || !c.Running || slices.ContainsFunc(l.Homes, of) {
			continue
		}
		for _, rule := range rules(c) {
			for _, m := range quoted.FindAllStringSubmatch(rule, -1) {
				names[project] = append(names[project], m[1])
			}
		}
	}
	after := "served as before"
	if l.Traefik.Version != "" {
		l.Away = balancerAway
		after = fmt.Sprintf("not restarted, and away for at most %d s while Traefik is replaced", l.Away)
	}
	for _, project := range slices.Sorted(maps.Keys(names)) {
		slices.Sort(names[project])
		l.thing(project, "neighbour", strings.Join(slices.Compact(names[project]), " "), after)
	}
}

// state is that of a unit, for people.
func (l *look) state(ctx context.Context, unit string) string {
	if _, err := l.systemctl(ctx, "is-enabled", unit); err != nil {
		return "not enabled"
	}
	return "enabled"
}

func (l *look) shared(ctx context.Context) {
	if len(l.Homes) == 0 {
		return
	}
	for _, unit := range sharedUnits {
		if l.is(units + "/" + unit + ".timer") {
			l.thing("host", unit, l.state(ctx, unit+".timer"), "disabled, and kept")
		}
	}
	for _, file := range sharedFiles {
		if l.is(file) {
			l.thing("host", file, "rotates logs", "removed, and kept: each instance has a rule of its own")
		}
	}
	if branches := l.found(hostapi.Ephemerals + "/*/removeat"); len(branches) > 0 {
		l.thing("host", "branches", fmt.Sprint(len(branches)),
			"left alone: they go in their time, once mage deploy:branch was here for the first time")
	}
}

// size is how many bytes are in a folder, and in how many files; what can't be read counts as nothing.
func (s *Server) size(folder string) (bytes int64, files int) {
	_ = filepath.WalkDir(s.real(folder), func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil
		}
		if info, err := entry.Info(); err == nil {
			bytes, files = bytes+info.Size(), files+1
		}
		return nil
	})
	return bytes, files
}

var (
	mirrored = regexp.MustCompile(`[a-z]{3,5}://[^\s"';]+`)
)

func (l *look) home(ctx context.Context, i *Instance) {
	where := i.Project
	database, _ := l.size(i.path("postgres/data"))
	attachments, n := l.size(i.path("mrsattachments"))
	version, _ := pgversion.Folder(l.real(i.path("postgres/data")))
	bytes := database + attachments
	l.Homes = append(l.Homes, hostapi.OldHome{Name: i.Project, Folder: i.Folder, Postgres: version, Bytes: bytes,
		Backup: 10 + int(bytes/readsASecond), Away: siteAway})
	application, runs, err := i.service(ctx, hostapi.MRS)
	postgres, answers, e := i.service(ctx, application.Env["DB_HOST"])
	if err != nil || e != nil || !runs || !answers {
		l.problem(where, true, "docker-compose up -d in "+i.Folder, "it does not run")
	}
	commit := application.Env["GIT_COMMIT"]
	l.thing(where, "django", application.Named+", commit "+commit[:min(8, len(commit))],
		"replaced, which can't be without a gap: it has other routes, and no health check")
	l.thing(where, "PostgreSQL", fmt.Sprintf("%s, %d MB", version, database>>20),
		"kept, on the same folder: a newer one is a step of its own, for later")
	l.thing(where, "attachments", fmt.Sprintf("%d, %d MB", n, attachments>>20), "kept")
	for _, unit := range i.oldUnits() {
		if l.is(units + "/" + unit + ".timer") {
			l.thing(where, unit, l.state(ctx, unit+".timer"), "replaced, and kept")
		}
	}
	if l.busy(ctx, i.Project+"-backup.service") {
		l.problem(where, true, "wait for its end", "an old backup is at work")
	}
	if free, _, err := disk.Free(l.real(i.Folder)); err == nil && free < database+database/2 {
		l.problem(where, true, "make room: df -h "+i.Folder,
			"its disk has %d MB free, and the dump may take %d", free>>20, database*3/2>>20)
	}
	l.backups(ctx, i)
	if answers {
		known, err := l.Known(ctx, postgres, application.Env["DB_NAME"], postgres.Env["POSTGRES_USER"])
		if err != nil {
			l.problem(where, false, "mage takeover:check again",
				"who gets in with a password that everybody knows can't be told: %v", err)
		}
		for _, user := range known {
			l.problem(where, false, "mrs changepassword "+user+", and a SECRET_KEY that is not notsecret",
				"%s gets in with the password %s, which everybody knows", user, user)
		}
	}
}

func (l *look) backups(ctx context.Context, i *Instance) {
	where, script := i.Project, l.text(i.path("backup.sh"))
	if script == "" {
		l.problem(where, false, "RESTIC_PASSWORD in its secrets, and they begin with the takeover", "it has no backups")
		return
	}
	at := i.oldRepository()
	all, err := l.Snapshots(ctx, at, l.real(i.path(".restic_password")))
	is := fmt.Sprintf("%d snapshots in %s", len(all), at)
	if len(all) > 0 {
		is += ", the last of " + all[len(all)-1].Time.Format("2006-01-02 15:04")
	}
	l.thing(where, "backups", is, "kept: they go on in the same repository")
	if err != nil {
		l.problem(where, true, "is its disk mounted? is "+i.path(".restic_password")+" its password?",
			"its repository can't be read: %v", err)
	}
	l.thing(where, "backup.sh, restore.sh, prune.sh", "the old ones", "replaced, and kept")
	address := mirrored.FindString(script)
	if address == "" {
		l.problem(where, false, "LFTP_DSN in its secrets", "its backups have no mirror")
		return
	}
	to := i.Project + "/restic"
	if at != i.path("restic") {
		l.problem(where, false, "LFTP_DSN in its secrets: ours mirrors what there is",
			"the mirror has never held anything: the old script mirrors %s, and the repository is %s",
			i.path("restic"), at)
		return
	}
	holds, err := l.Mirror(ctx, address, to)
	switch {
	case err != nil:
		l.problem(where, false, "LFTP_DSN in its secrets; LFTP_PLAIN=1 where it has no TLS",
			"whether the mirror holds anything is not known: %v", err)
	case !holds:
		l.problem(where, false, "LFTP_DSN in its secrets", "the mirror holds nothing")
	default:
		l.thing(where, "mirror", "holds a repository", "kept: ours goes on with it")
	}
}
