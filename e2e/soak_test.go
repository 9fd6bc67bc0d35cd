//go:build e2e && soak

package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The campaign: operations in the lab, and what interrupts them, drawn by chance
// and at moments drawn by chance, for as long as it is told. What the other
// tests show of each named phase once, it looks for between the phases.
var (
	soakFor  = flag.Duration("for", time.Hour, "how long new trials begin")
	soakSeed = flag.String("seed", "1", "what the trials are drawn from: a number; N.K repeats trial K of N alone; whole: nothing is drawn, what is tried as a whole is, once each")
)

// operation is what is interrupted.
type operation struct {
	name  string
	words func(r *rand.Rand) []string
	// prepare makes the operation have something to do, and returns what fails the
	// test unless staging is as it was before, or as the operation leaves it.
	prepare func(t *testing.T, l rehearsal) (holds func(t *testing.T, b began))
	lasts   time.Duration // when nothing interrupts it, as last seen
}

// blows are what interrupts any operation on staging.
var blows = append([]struck{
	{name: "the power goes", hit: func(t *testing.T, l rehearsal, _ began) { l.powerCut(t) }},
	{name: "the power goes, and names are synced", hit: func(t *testing.T, l rehearsal, _ began) { l.powerCutWhen(t, names, "true") }},
	{name: "the host is restarted", hit: func(t *testing.T, l rehearsal, _ began) { l.reboot(t) }},
	{name: "what works on the host is killed", hit: func(_ *testing.T, l rehearsal, _ began) {
		_, _ = l.shell("staging", `pkill -9 -f '(backup|restore|drill)\.sh|[m]rs-host-[0-9a-f]* deploy' || true`)
	}},
	{name: "restic, pg_dump and pg_restore are killed", hit: func(_ *testing.T, l rehearsal, _ began) {
		_, _ = l.shell("staging", "pkill -9 -x 'restic|pg_dump|pg_restore' || true")
	}},
	{name: "the container of the site is killed", hit: func(_ *testing.T, l rehearsal, _ began) {
		_, _ = l.shell("staging", "docker ps -q --filter label=com.docker.compose.service=django | xargs -r docker kill")
	}},
}, strikes...)

// operations are those of the campaign.
func operations() []*operation {
	unchanged := func(t *testing.T, l rehearsal) func(*testing.T, began) {
		were := l.whatIsThere(t)
		return func(t *testing.T, _ began) { l.stillThere(t, were) }
	}
	return []*operation{
		{name: "a copy", words: func(*rand.Rand) []string { return partOfProduction },
			prepare: func(_ *testing.T, l rehearsal) func(*testing.T, began) {
				return func(t *testing.T, b began) { l.copiedWhole(t, b) }
			}},
		{name: "a backup", words: func(*rand.Rand) []string { return []string{"ops:backup", "staging"} },
			prepare: func(t *testing.T, l rehearsal) func(*testing.T, began) {
				same, good := unchanged(t, l), l.goodSnapshots(t)
				return func(t *testing.T, b began) {
					same(t, b)
					if now := l.goodSnapshots(t); now < good {
						t.Errorf("there were %d good snapshots, and are %d\n%s", good, now, b.said())
					}
				}
			}},
		{name: "a restore", words: func(r *rand.Rand) []string {
			only := []string{"", "-only=database", "-only=attachments"}[r.IntN(3)]
			words := []string{"ops:restore", "staging", "latest", "-yes"}
			if only != "" {
				words = append(words, only)
			}
			return words
		},
			prepare: func(t *testing.T, l rehearsal) func(*testing.T, began) {
				l.mustMage(t, "ops:backup", "staging")
				first := strings.Split(l.whatIsThere(t), "\n")
				l.mustMage(t, "ops:manage", "staging", "seed 20")
				second := strings.Split(l.whatIsThere(t), "\n")
				files := func(lines []string) string { return strings.Join(lines[len(lines)-2:], "\n") }
				rows := func(lines []string) string { return strings.Join(lines[:len(lines)-2], "\n") }
				return func(t *testing.T, b began) {
					now := strings.Split(l.whatIsThere(t), "\n")
					if r := rows(now); r != rows(first) && r != rows(second) {
						t.Errorf("the rows are those of neither\n%s\n%s", r, b.said())
					}
					if f := files(now); f != files(first) && f != files(second) {
						t.Errorf("the attachments are those of neither\n%s\n%s", f, b.said())
					}
				}
			}},
		{name: "a deployment", words: func(*rand.Rand) []string {
			images[0], images[1] = images[1], images[0] // there is something to change
			return []string{"deploy:staging", "-yes", "-image=" + images[0]}
		}, prepare: unchanged},
		{name: "a rollback", words: func(*rand.Rand) []string { return []string{"deploy:rollback", "staging", "-yes"} },
			prepare: func(t *testing.T, l rehearsal) func(*testing.T, began) {
				for _, image := range images { // each rollback goes further back
					l.mustMage(t, "deploy:staging", "-yes", "-image="+image)
				}
				return unchanged(t, l)
			}},
		{name: "a drill", words: func(*rand.Rand) []string { return []string{"ops:drill", "staging"} }, prepare: unchanged},
	}
}

// images are the two releases of staging that deployments of the campaign take turns with.
var images [2]string

// phases are what a copy says when it begins each of its parts.
var phases = []string{"copying", "building indexes", "trying the application", "swapping"}

// trial is one of what is tried as a whole, since it takes minutes.
type trial struct {
	name string
	try  func(t *testing.T)
}

// wholeTrials are all of them.
func wholeTrials(l rehearsal) []trial {
	all := []trial{
		{"a repository on sftp", func(t *testing.T) { sftpRepository(t, l) }},
		{"a repository on S3", func(t *testing.T) { l.vault(t, newS3) }},
		{"a repository on restic's own server", func(t *testing.T) { l.vault(t, newRest) }},
		{"three deployments under load", func(t *testing.T) { deployedUnderLoad(t, l, 0, 1) }},
		{"ten times three deployments under load, with both processors busy", func(t *testing.T) { deployedUnderLoad(t, l, 2, 10) }},
		{"an older generation's instance", func(t *testing.T) { goesOnFromAnOlderGeneration(t, l) }},
		{"an older generation's swap, killed", func(t *testing.T) { undoesAnOlderGenerationsSwap(t, l) }},
		{"all are busy, and the database is away", func(t *testing.T) { outlasts(t, l) }},
		{"the power goes in each part of a deployment", func(t *testing.T) { darkDeployments(t, l) }},
		{"the power goes in each part of a backup", func(t *testing.T) { darkBackups(t, l) }},
		{"the power goes in each part of a restore", func(t *testing.T) { darkRestores(t, l) }},
		{"a takeover, the way back, and a takeover again", func(t *testing.T) {
			t.Cleanup(func() { l.fresh(t) })
			takesOver(t, l, true)
		}},
		{"the French page", func(t *testing.T) {
			t.Cleanup(func() { l.fresh(t) })
			frenchPage(t, l)
		}},
		{"the log of a local instance", restoresByItsLog},
		{"the log in the lab: a restore point, a drill, and the archive lost with the home", func(t *testing.T) { losesItsArchive(t, l) }},
		{"a release that crashes at start", func(t *testing.T) {
			crash := l.image(t, "crash", "c4a5", `CMD ["bash", "-c", "echo all is lost; exit 3"]`)
			l.mustMage(t, "deploy:production", "-yes", "-image="+images[0])
			l.worksNotOut(t, l.given("healthcheck_timeout=20"), crash, version(l.production, "www.production.lab"), "crashes at start")
		}},
		{"the cookbook's example makes a load balancer of a new server, once", loadBalancerOfANewServer},
		{"a new server gets Docker, Traefik and netdata, which watches backups", servesFromNothing},
		{"the log at ten random moments", func(t *testing.T) { losesSecondsAtMost(t, 10) }},
		{"the log an hour after a deletion", undoesADeletionOfAnHourAgo},
		{"the log and its archive", losesNothingWithItsArchive},
		{"the log of staging", l.keepsItsLog},
		{"copies to a full disk", func(t *testing.T) { l.copiesToAFullDisk(t, phases...) }},
		{"copies that break at every message and frame, in every way", func(t *testing.T) { breaksAnywhere(t, true) }},
	}
	for _, s := range overStrikes {
		all = append(all, trial{s.name + " at each moment of a takeover and of the way back", func(t *testing.T) {
			t.Cleanup(func() { l.fresh(t) })
			crosses(t, l, s)
		}})
	}
	for _, s := range strikes {
		all = append(all, trial{"in each phase of a copy " + s.name, func(t *testing.T) {
			for _, phase := range phases {
				t.Run(phase, func(t *testing.T) { l.struckCopy(t, s, phase) })
			}
		}})
	}
	for _, version := range []string{"13", "17"} {
		all = append(all, trial{"the log of PostgreSQL " + version, func(t *testing.T) { losesNothingWithItsData(t, version) }})
	}
	for _, version := range versions[:len(versions)-1] {
		all = append(all, trial{"PostgreSQL " + version, func(t *testing.T) { keepsItsVersion(t, version, true) }})
	}
	all = append(all, trial{"what PostgreSQL 15 has beside its data", func(t *testing.T) {
		keepsWhatIsBesideData(t, besideData{"15", "15"}, besideData{"15", "17"})
	}})
	all = append(all, trial{"an upgrade of PostgreSQL with 300,000 people", func(t *testing.T) { upgrades(t, 300_000, "15", "17") }})
	for _, recreated := range []bool{false, true} {
		for _, begins := range []time.Duration{-20 * time.Second, 0, 20 * time.Second} {
			all = append(all, trial{fmt.Sprintf("a deployment %v after a job's minute has begun, recreated: %v", begins, recreated), func(t *testing.T) {
				mailedOnce(t, l, begins, recreated)
			}})
		}
	}
	return all
}

// losesItsArchive has staging go back to a restore point and drill its log, and lose that with its home: what was
// shipped comes back.
func losesItsArchive(t *testing.T, lab rehearsal) {
	t.Cleanup(func() { lab.fresh(t) })
	l := lab.archives(t)
	l.clear(t, "staging")
	l.mustMage(t, "deploy:staging", "-yes")
	l.shipped(t)
	l.shipped(t)
	l.mustMage(t, "ops:backup", "staging")
	end := l.writes(t)
	time.Sleep(5 * time.Second)
	end()
	were := l.visits(t)
	l.mustMage(t, "ops:restorePoint", "staging", "before")
	l.sh(t, "staging", "docker exec -i "+postgres+` psql -U django -d mrs -qc "delete from visits"`)
	time.Sleep(10 * time.Second)
	l.mustMage(t, "ops:restore", "staging", "latest", "-restorePoint=before", "-only=database", "-yes")
	if now := l.visits(t); missing(were, now) > 0 || len(now) != len(were) {
		t.Errorf("%d rows were there, and %d are", len(were), len(now))
	}
	l.losesItsHome(t, "rm -rf /mnt/archive/wal/*", 12*50)
	if r := l.mage(t, "ops:drill", "staging"); r.status != 0 || !strings.Contains(r.output, "the log is proven: the database was recovered to ") {
		t.Errorf("exit status %d\n%s", r.status, r.output)
	}
}

// darkDeployments cuts the power in deployments: each part of one that takes over, and maintenance.
func darkDeployments(t *testing.T, l rehearsal) {
	both := images // which may have changed places
	slices.Sort(both[:])
	d := &dark{rehearsal: l, first: both[0], second: both[1]}
	l.mustMage(t, "deploy:staging", "-yes", "-image="+d.second)
	for _, c := range []struct {
		name, condition string
		left            survives
	}{
		{"beside the old one", "true", names},
		{"docker-compose.yml is replaced", "[ ! -e docker-compose.next.yml ]", nothing},
		{"it is a release", `grep --quiet "` + d.first + `" "$(find releases -path '*[0-9]/images' | sort -V | tail -n 1)"`, names},
	} {
		t.Run(c.name, func(t *testing.T) { d.cut(t, "it is healthy", c.left, c.condition) })
	}
	t.Run("maintenance is off", func(t *testing.T) {
		l.mustMage(t, "ops:maintenance", "staging", "on", "-yes")
		l.mustMage(t, "ops:maintenance", "staging", "off", "-yes")
		l.powerCutWhen(t, names, "true")
		l.healthy(t)
		d.maintained(t, "no")
		d.intact(t)
	})
}

// told is staging as it tells a Slack of its own, until the test ends.
func told(t *testing.T, l rehearsal) (rehearsal, *slack) {
	t.Helper()
	slack := newSlack(t, l.bridge(t))
	t.Cleanup(func() { l.mustMage(t, "deploy:staging", "-yes", "-image="+images[0]) })
	with := l.given("SLACK_URL="+slack.URL, "SLACK_TOKEN=T0/B0/hush-slack")
	with.mustMage(t, "deploy:staging", "-yes", "-image="+images[0])
	return with, slack
}

func darkBackups(t *testing.T, l rehearsal) {
	l, slack := told(t, l)
	for phase, condition := range map[string]string{
		"dumping the database": "true", "making a snapshot": "[ -e .backup.unchecked ]",
	} {
		t.Run(phase, func(t *testing.T) { l.cutBackup(t, slack, condition) })
	}
}

func darkRestores(t *testing.T, l rehearsal) {
	l, slack := told(t, l)
	l.mustMage(t, "ops:backup", "staging")
	l.mustMage(t, "ops:manage", "staging", "seed 10")
	for _, until := range []string{"restoring the database", "swapping"} {
		t.Run(until, func(t *testing.T) { l.cutRestore(t, slack, until, nothing, "sleep 0.5") })
	}
	t.Run("swapping, and the attachments are moved aside", func(t *testing.T) {
		l.cutRestore(t, slack, "swapping", names, "ls -d mrsattachments.*Z >/dev/null 2>&1")
	})
	t.Run("it has swapped: it is done, or undone", func(t *testing.T) {
		l.mustMage(t, "ops:backup", "staging")
		before := l.whatIsThere(t)
		l.mustMage(t, "ops:manage", "staging", "seed 10")
		mine := l.whatIsThere(t)
		b := l.begin(t, "swapping", "ops:restore", "staging", "latest", "-yes")
		const gone = `[ ! -e .restore.swap ] || seen=yes; [ "${seen:-}" = yes ] && [ ! -e .restore.swap ]`
		l.powerCutWhen(t, names, gone)
		_ = b.end(t)
		l.healthy(t)
		if now := l.whatIsThere(t); now != before && now != mine {
			t.Errorf("there was\n%s\nthen\n%s\nand is\n%s", before, mine, now)
		}
	})
}

// cutBackup cuts the power in a backup, once a condition holds. What was good before is, and there is one snapshot more
// soon: the boot makes another one.
func (l rehearsal) cutBackup(t *testing.T, slack *slack, condition string) {
	t.Helper()
	before := l.whatIsThere(t)
	n := len(l.backed(t, "staging").Snapshots)
	slack.told()
	b := l.begin(t, "dumping the database", "ops:backup", "staging")
	l.powerCutWhen(t, nothing, condition)
	_ = b.end(t)
	slack.heard(t, "the backup that began")
	var now backed
	if !soon(func() bool {
		now = l.backed(t, "staging")
		return len(now.Snapshots) == n+1 && !now.Snapshots[0].Unchecked && now.Runs[len(now.Runs)-1].Outcome == "good"
	}) {
		t.Fatalf("there were %d snapshots, and are %+v, %+v", n, now.Snapshots, now.Runs[len(now.Runs)-2:])
	}
	l.healthy(t)
	l.stillThere(t, before)
}

// cutRestore cuts the power in a restore of the last snapshot, once it has said so much and a condition holds: all is
// as it was before then.
func (l rehearsal) cutRestore(t *testing.T, slack *slack, until string, left survives, condition string) {
	t.Helper()
	before := l.whatIsThere(t)
	slack.told()
	b := l.begin(t, until, "ops:restore", "staging", "latest", "-yes")
	l.powerCutWhen(t, left, condition)
	_ = b.end(t)
	slack.heard(t, "the restore that began")
	l.healthy(t)
	l.stillThere(t, before)
}

// deployedUnderLoad deploys production three times while visitors come, in each round, over more than 100,000 requests' rows, which
// the front page counts, with processes beside that keep processors busy.
func deployedUnderLoad(t *testing.T, l rehearsal, busy, rounds int) {
	for l.sql(t, "production", "mrs", "select count(*) > 100000 from mrsrequest_mrsrequest") != "t" {
		l.mustMage(t, "ops:manage", "production", "seed 20000")
	}
	for range busy {
		burner := exec.Command("sh", "-c", "while :; do :; done")
		if err := burner.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = burner.Process.Kill(); _ = burner.Wait() }()
	}
	l.mustMage(t, "deploy:production", "-yes", "-image="+images[0])
	underLoad(t, l.production, "www.production.lab", 200, rounds, page, func() {
		for _, image := range []string{images[1], images[0], images[1]} {
			l.mustMage(t, "deploy:production", "-yes", "-image="+image)
		}
	})
	l.sh(t, "production", "find /home/mrs-production/spooler -type f -delete")
}

// outlasts fails the test unless the load balancer goes on knowing staging's container while its database is away
// for a minute, and while all of its workers sleep for 100 s.
func outlasts(t *testing.T, l rehearsal) {
	health := func() string {
		return l.sh(t, "staging", `docker inspect --format '{{.State.Health.Status}}' "$(docker ps --quiet --filter name=mrs-staging-django)"`)
	}
	l.sh(t, "staging", "docker pause mrs-staging-postgres-1 >/dev/null")
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(2 * time.Second) {
		if got := health(); got != "healthy" {
			t.Errorf("without its database it is %s", got)
		}
		if status, _, _ := ask(t, l.staging, "www.staging.lab"); status == http.StatusNotFound {
			t.Error("the load balancer does not know it any more")
		}
	}
	l.sh(t, "staging", "docker unpause mrs-staging-postgres-1 >/dev/null")
	l.healthy(t)
	const workers = `pids=$(docker top "$(docker ps --quiet --filter name=mrs-staging-django)" -eo pid,ppid,args | awk '/uwsgi/ && !/dumb-init|bash/ { print $1, $2 }' | sort -n | awk 'NR > 1 { print $1 }')
kill -%s $pids`
	l.sh(t, "staging", fmt.Sprintf(workers, "STOP"))
	for until := time.Now().Add(100 * time.Second); time.Now().Before(until); time.Sleep(5 * time.Second) {
		if got := health(); got != "healthy" {
			t.Errorf("with all workers asleep it is %s", got)
		}
	}
	leave := visitors(l.staging, "www.staging.lab", 1, alive)
	time.Sleep(3 * time.Second)
	l.sh(t, "staging", fmt.Sprintf(workers, "CONT"))
	allServed(t, leave())
	l.healthy(t)
}

// dailyJob is the application's job that mails each fund.
type dailyJob struct {
	minute time.Time
	fund   string // whom it mails, for the first time
}

// dailyMail returns the job, with a fund of its own.
func dailyMail() *dailyJob {
	return &dailyJob{fund: fmt.Sprintf("fund-%d@fund.example", time.Now().UnixNano())}
}

// known gives the job a minute that comes soon, and ecole a container that knows it. The application's clock is not
// the server's.
func (j *dailyJob) known(t *testing.T, l rehearsal, image string) {
	t.Helper()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	j.minute = time.Now().In(paris).Add(100 * time.Second).Truncate(time.Minute)
	l.sh(t, "staging", fmt.Sprintf(`docker exec -i mrs-ecole-postgres-1 psql -U django -d mrs -v ON_ERROR_STOP=1 -Xqt <<'SQL'
update caisse_caisse set active = false;
insert into caisse_caisse (code, name, number, liquidation_email, active, score, parking_enable, nopmt_enable) values ('999', 'one', '099', '%s', true, 0, true, false);
update djcall_cron set minute = '%d', hour = '%d', weekday = '*' from djcall_caller c where c.id = caller_id and callback like '%%daily_mail'
SQL`, j.fund, j.minute.Minute(), j.minute.Hour()))
	l.mustMage(t, "deploy:to", "ecole", "-image="+image)
}

// wait waits for a moment after the job's minute has begun; before it, if after is less than 0.
func (j *dailyJob) wait(after time.Duration) { time.Sleep(time.Until(j.minute.Add(after))) }

// once fails the test unless the deployment ended well, and the job has mailed the fund once.
func (j *dailyJob) once(t *testing.T, l rehearsal, d began) {
	t.Helper()
	if err := d.end(t); err != nil {
		t.Errorf("%v\n%s", err, d.said())
	}
	if n := l.mailed(t, "mrs-ecole-mail-1")[j.fund]; n != 1 {
		t.Errorf("the fund got %d mails", n)
	}
	l.whole(t, "staging", "mrs-ecole", "/home/mrs-ecole")
}

// mailedOnce deploys ecole at a moment around a job's minute; begins is how long after it begins.
func mailedOnce(t *testing.T, l rehearsal, begins time.Duration, recreated bool) {
	l.mustMage(t, "deploy:to", "ecole")
	job := dailyMail()
	job.known(t, l, images[0])
	job.wait(begins)
	with := l.given("wait_for_jobs=1")
	if recreated { // it can't run twice
		with = with.given(`compose_django_ports=["8998:8000"]`)
	}
	d := with.start(t, with.targets("deploy:to", "ecole", "-image="+images[1])...)
	job.wait(75 * time.Second)
	job.once(t, l, d)
	if begins < 0 && !strings.Contains(d.said(), "until the application's job of ") {
		t.Errorf("it has not waited:\n%s", d.said())
	}
	l.remove(t, "staging", "mrs-ecole", "/home/mrs-ecole")
}

// goodSnapshots counts those that are whole.
func (l rehearsal) goodSnapshots(t *testing.T) (n int) {
	t.Helper()
	for _, s := range l.backed(t, "staging").Snapshots {
		if !s.Unchecked {
			n++
		}
	}
	return n
}

// quiet waits until nothing works on staging any more.
func (l rehearsal) quiet(t *testing.T) {
	t.Helper()
	l.sh(t, "staging", `n=0
while pgrep -f '(backup|restore|drill|prune)\.sh|[m]rs-host-[0-9a-f]* (deploy|copy)' >/dev/null || systemctl list-units 'mrs-staging-*' --no-legend --plain | grep -q ' activating '; do
  ((++n < 600)) || { ps -eo args | grep -E 'mrs-|[.]sh' >&2; exit 1; }
  sleep 0.5
done
until docker exec mrs-staging-postgres-1 pg_isready -qh 127.0.0.1; do sleep 0.2; done`)
}

// fresh makes staging what a trial begins with, whatever the one before has left.
func (l rehearsal) fresh(t *testing.T) {
	t.Helper()
	l.clear(t, "production")
	l.clear(t, "staging")
	l.mustMage(t, "deploy:production", "-yes")
	l.mustMage(t, "ops:manage", "production", fmt.Sprintf("seed %d", copiedPeople))
	l.sql(t, "production", "mrs", "create role reader login in role pg_read_all_data")
	for _, image := range images {
		l.mustMage(t, "deploy:staging", "-yes", "-image="+image)
	}
	l.mustMage(t, partOfProduction...)
	l.mustMage(t, "ops:backup", "staging")
}

func TestSoak(t *testing.T) {
	form := regexp.MustCompile(`^(?:whole|(\d+)(?:\.(\d+))?)$`).FindStringSubmatch(*soakSeed)
	if form == nil {
		t.Fatalf("-seed=%s: a number, N.K, or whole", *soakSeed)
	}
	seed, _ := strconv.ParseUint(form[1], 10, 64)
	l := inTheLab(t, *soakFor)
	l.clone = l.with("DB_READER=reader")
	images = [2]string{l.image(t, "soak-1", "1111111"), l.image(t, "soak-2", "2222222")}
	l.disk(t)
	l.fresh(t)
	all, whole := operations(), wholeTrials(l)
	if *soakSeed == "whole" {
		for _, w := range whole {
			t.Run(w.name, w.try)
		}
		return
	}

	trial := func(k int) (well bool) {
		r := rand.New(rand.NewPCG(seed, uint64(k)))
		if r.IntN(12) == 0 {
			w := whole[r.IntN(len(whole))]
			return t.Run(fmt.Sprintf("%d.%d: %s", seed, k, w.name), w.try)
		}
		op, blow, part := all[r.IntN(len(all))], blows[r.IntN(len(blows))], r.Float64()
		name := fmt.Sprintf("%d.%d: during %s %s, after %.0f %% of it", seed, k, op.name, blow.name, 100*part)
		return t.Run(name, func(t *testing.T) { l.try(t, op, r, blow, part) })
	}
	if form[2] != "" {
		k, err := strconv.Atoi(form[2])
		if err != nil {
			t.Fatal(err)
		}
		trial(k)
		return
	}
	for k, begin := 1, time.Now(); time.Since(begin) < *soakFor; k++ {
		if !trial(k) {
			// The next one is to find faults of its own.
			l.fresh(t)
		}
	}
}

// try interrupts an operation once a part of its time has passed, and fails the
// test unless everything is as it has to be then, and the operation can be done.
func (l rehearsal) try(t *testing.T, op *operation, r *rand.Rand, blow struck, part float64) {
	t.Helper()
	holds := op.prepare(t, l)
	if op.lasts == 0 {
		start := time.Now()
		l.mustMage(t, op.words(r)...)
		op.lasts = time.Since(start)
		holds = op.prepare(t, l)
	}
	b := l.start(t, l.targets(op.words(r)...)...)
	time.Sleep(time.Duration(part * float64(op.lasts)))
	blow.hit(t, l, b)
	err := b.end(t)
	t.Logf("it ended with %v", err)
	l.quiet(t)
	l.healthy(t)
	holds(t, b)
	l.mustMage(t, op.words(r)...)
	l.healthy(t)
	l.whole(t, "staging", "mrs-staging", "/home/mrs-staging")
	if left := l.left(t); left != "" {
		t.Errorf("left: %s", left)
	}
}
