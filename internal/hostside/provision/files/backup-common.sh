# shellcheck shell=bash disable=SC2317
# What backup.sh, restore.sh, prune.sh, drill.sh, export.sh, lend.sh and alert.sh share. They source it from the
# instance's home.
#
# Files in home, beside the scripts:
#   .backup.env         settings, written by the deployment
#   .restic_password    the repository's password; .restic_id: its id, and the sum of its config
#   .running.WHAT       WHAT is at work, since its time; one that nobody has a lock for was killed. A copy's
#                       has the name of its database, too
#   .backup.unchecked   a backup is at work, or was killed: snapshots that are not in this list were not
#                       checked, and are not to be trusted
#   .backup.intact      the files of the repository that are known to be whole, as files prints them
#   .mirrored           those that the mirror has
#   .request.WHAT       what somebody has handed over to a unit of systemd
#   .restore.swap       a restore is moving things, and how they are to be put back
# and what was done is kept in /var/log/mrs-ops/NAME.backups.log (a JSON object a line), and for
# the monitoring in /var/lib/mrs-ops/NAME.prom.

what=${0##*/}
what=${what%.sh}
began=$SECONDS reason='' hint='' failed='' child='' cause='' snapshot='' counted=no
facts=() # for the record: NAME VALUE …

say() { printf '%s\n' "$*"; }
# die REASON [HINT]
die() {
  reason=$1 hint=${2:-}
  exit 1
}

if [ "$(id -u)" != 0 ]; then
  printf '%s: must run as root\nhint: sudo %s\n' "${0##*/}" "$0" >&2
  exit 1
fi
umask 077

NAME='' RESTIC_REPOSITORY='' LFTP_DSN='' LFTP_PLAIN='' DB_NAME='' DB_USER='' MRS_HOST='' URL='' NAMES='' PAGE=/ BASICAUTH='' TIMEOUT='' SLACK=''
# shellcheck disable=SC2034 # restore.sh's
JOBS=''
# shellcheck source=/dev/null
. ./.backup.env
: "${NAME:?}" "${RESTIC_REPOSITORY:?}" "${DB_NAME:?}" "${DB_USER:?}" "${MRS_HOST:?}" "${URL:?}" "${TIMEOUT:?}"
export RESTIC_REPOSITORY
export RESTIC_PASSWORD_FILE=$PWD/.restic_password
export RESTIC_PROGRESS_FPS=0.5 RESTIC_CACHE_DIR=/var/cache/mrs-ops
ledger=/var/log/mrs-ops/$NAME.backups.log
cpus=$(nproc)
jobs=$((cpus < 2 ? 2 : cpus > 4 ? 4 : cpus))

# --- how it ends

# A script defines cleanup, which is given the exit status; what it says goes before the reason.
cleanup() { :; }

finish() {
  local status=$? outcome=good
  exec 1>&5 2>&6
  set +e
  trap '' HUP INT TERM PIPE
  [ -z "$child" ] || { kill -TERM "$child" 2>/dev/null; wait "$child" 2>/dev/null; }
  [ "$status" = 0 ] || reason=${reason:-"${failed:-it} failed"}
  cleanup "$status"
  case $status in
    0) ;;
    75) outcome="not mirrored" ;;
    *) outcome=failed ;;
  esac
  if [ $counted = yes ]; then
    record what "$what" cause "$cause" outcome "$outcome" reason "$reason" snapshot "${snapshot:0:8}" seconds: $((SECONDS - began)) "${facts[@]}"
    rm -f ".running.$what"
  fi
  [ "$status" = 0 ] || printf '%s: %s\n' "${0##*/}" "$reason" >&2
  [ "$status" = 0 ] || [ -z "$hint" ] || printf 'hint: %s\n' "$hint" >&2
  exit "$status"
}

# careful: from here on, whatever ends us is told and written down.
careful() {
  exec 5>&1 6>&2 # a signal may come while the output goes elsewhere
  trap finish EXIT
  set -E
  trap 'failed="line $LINENO: ${BASH_COMMAND%% *}"' ERR
  # A lost terminal is none of our business; neither is one who no longer listens.
  trap 'reason="interrupted"; exit 130' INT TERM
  trap 'reason="interrupted: the terminal is gone"; exit 129' HUP PIPE
}

# record NAME VALUE …: keeps what was done, and tells the monitoring. A value is text, unless its name ends in ":".
record() {
  mkdir -p "${ledger%/*}" /var/lib/mrs-ops
  chmod 0755 /var/lib/mrs-ops
  python3 - "$NAME" "$ledger" "$([ -n "$LFTP_DSN" ] && echo 1)" "$@" <<'PYTHON'
import calendar, json, os, sys, time
name, ledger, mirror, *pairs = sys.argv[1:]
entry = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
for n, v in zip(pairs[::2], pairs[1::2]):
    if v:
        entry[n.rstrip(":")] = json.loads(v) if n.endswith(":") else v
with open(ledger, "ab+") as f:
    # After a line that the power cut short.
    size = f.seek(0, 2)
    f.seek(max(0, size - 1))
    f.write((b"" if f.read(1) in (b"", b"\n") else b"\n") + json.dumps(entry).encode() + b"\n")
    f.flush()
    os.fsync(f.fileno())
runs = []
for line in open(ledger, errors="replace"):
    try:
        runs.append(json.loads(line))
    except ValueError:
        pass
metrics = []
def metric(n, v):
    if v is not None:
        metrics.append('mrs_%s{instance="%s"} %s\n' % (n, name, v))
def last(what, *outcomes):
    return next((r for r in reversed(runs) if r.get("what") == what and (not outcomes or r.get("outcome") in outcomes)), None)
def epoch(run):
    return calendar.timegm(time.strptime(run["time"], "%Y-%m-%dT%H:%M:%SZ"))
for what in "backup", "drill":
    run, good = last(what), last(what, "good", "not mirrored")
    if run:
        metric(what + "_good", int(run.get("outcome") in ("good", "not mirrored")))
        # Where there never was a good one, it is too old for every alarm.
        metric(what + "_last_good_timestamp_seconds", epoch(good) if good else 0)
    if good:
        metric(what + "_duration_seconds", good.get("seconds"))
    if good and what == "backup":
        metric("backup_mirrored", int(not mirror or good["outcome"] == "good"))
        metric("backup_bytes", good.get("bytes"))
        metric("backup_added_bytes", good.get("added"))
        metric("backup_repository_bytes", good.get("repository_bytes"))
path = "/var/lib/mrs-ops/%s.prom" % name
with open(path + ".new", "w") as f:
    os.fchmod(f.fileno(), 0o644)
    f.write("".join(metrics))
    f.flush()
    os.fsync(f.fileno())
os.rename(path + ".new", path)
PYTHON
}

# last_known FACT: the number that the last run which has one has recorded; 0 if none has.
last_known() {
  [ -e "$ledger" ] || { echo 0; return; }
  python3 -c '
import json, sys
last = 0
for line in sys.stdin.buffer:
    try:
        last = json.loads(line).get(sys.argv[1], last)
    except ValueError: # cut short by the power
        pass
print(last)' "$1" <"$ledger"
}

# tell TEXT: in the journal, and in the team's Slack if it listens. The address is a secret, so curl
# reads it.
tell() {
  say "$1"
  [ -n "$SLACK" ] || return 0
  python3 -c 'import json, sys; print(json.dumps({"text": sys.argv[1]}))' "$1" |
    curl --silent --show-error --fail --max-time 10 --retry 5 --retry-all-errors --retry-delay 2 \
      --header 'Content-Type: application/json' --data @- --output /dev/null --config <(printf 'url = "%s"\n' "$SLACK") ||
    { say "Slack did not take this message"; return 1; }
}

# --- one thing at a time

# order shared|exclusive: a deployment changes what runs (internal/hostside/lock has this lock too), a
# restore does, a backup reads it. The kernel releases a lock when its holder dies, however it dies.
order() {
  mkdir -p /run/lock/mrs-ops
  exec 8>>"/run/lock/mrs-ops/$NAME.work"
  ! flock --nonblock "--$1" 8 || return 0
  say "$NAME is being deployed, restored or backed up: waiting for the end of that"
  flock --timeout 7200 "--$1" 8 || die "a deployment, restore or backup of $NAME does not end" "see who: fuser -v /run/lock/mrs-ops/$NAME.work"
}

# only_one: only one of the scripts at a time reads or writes the repository.
only_one() {
  exec 9>>.backup.lock
  ! flock --nonblock 9 || return 0
  say "another backup, restore, prune or drill of $NAME is at the repository: waiting for its end"
  flock --timeout 7200 9 || die "another backup, restore, prune or drill of $NAME does not end" "see who: fuser -v $PWD/.backup.lock"
}

# counts: this run is one that is written down. The lock must be held.
counts() {
  cut_short "$what"
  counted=yes
  date +%s >".running.$what"
  # Else nobody would ever hear of a run that the power cut short.
  sync -- ".running.$what" .
}

# cut_short WHAT: writes down, and tells, that the last WHAT was killed, if it was.
cut_short() {
  [ -e ".running.$1" ] || return 0
  local since
  since=$(date --utc --date "@$(head -n 1 ".running.$1")" '+%Y-%m-%d %H:%M UTC' 2>/dev/null || echo "some time ago")
  record what "$1" outcome failed reason "killed, or the power went"
  rm -f ".running.$1"
  tell "$NAME on $(hostname): the $1 that began $since was cut short (docs/runbook.md)" || true
}

# hand_over UNIT join|refuse ARGUMENT…: has systemd run this script with the arguments, so that it
# outlives this terminal; shows what it says, and ends as it does. One that is at work already is shown
# instead, or refused. Where systemd does not run, or has no such unit, it returns.
hand_over() {
  local unit=$1.service other=$2 before invocation state seen mine since=() stopped=no n asking
  shift 2
  [ -d /run/systemd/system ] && systemctl cat "$unit" >/dev/null 2>&1 || return 0
  trap - ERR
  seen=$(mktemp --directory)
  # shellcheck disable=SC2064 # now
  trap "rm -rf '$seen'" EXIT
  # Of two people at the same moment, one is the first.
  exec {asking}>>.request.lock
  flock "$asking"
  before=$(systemctl show --property InvocationID --value "$unit")
  if [[ $(systemctl is-active "$unit") =~ ^(activating|deactivating)$ ]]; then
    [ "$other" = join ] || { printf '%s: %s is at work already\nhint: journalctl --follow --unit %s\n' "${0##*/}" "$unit" "$unit" >&2; exit 1; }
    say "it is at work already: this is what it says"
    mine=("_SYSTEMD_INVOCATION_ID=$before")
    trap 'exit 130' INT
  else
    printf '%s\n' "$@" >".request.$what"
    systemctl reset-failed "$unit" 2>/dev/null || true
    # From here on. Of one that ends at once, the journal knows the unit, but not always which run it was.
    since=(--since "$(date '+%F %T.%6N')")
    systemctl start --no-block "$unit"
    for ((n = 0; n < 200; n++)); do
      invocation=$(systemctl show --property InvocationID --value "$unit")
      [ -z "$invocation" ] || [ "$invocation" = "$before" ] || break
      sleep 0.05
    done
    mine=("_SYSTEMD_UNIT=$unit")
    # Who hits Ctrl-C wants it to end; who goes away does not.
    trap 'stopped=yes; say "ending it"; systemctl stop --no-block "$unit"' INT
  fi
  exec {asking}>&-
  trap 'exit 143' TERM HUP PIPE
  while true; do
    state=$(systemctl is-active "$unit" || true)
    case $state in
      activating | deactivating | active | reloading) state=running ;;
      *) journalctl --sync 2>/dev/null || true ;;
    esac
    journalctl --quiet --no-pager --output cat "${since[@]}" --cursor-file "$seen/cursor" "${mine[@]}" 2>/dev/null || true
    [ ! -e "$seen/cursor" ] || since=() # it is after what was seen
    [ "$state" = running ] || break
    sleep 0.3
  done
  [ "$stopped" = no ] || exit 130
  # Of a unit that ended well systemd may know nothing any more.
  [ "$state" = failed ] || exit 0
  state=$(systemctl show --property ExecMainStatus --value "$unit")
  # Of one that was killed, this is the signal.
  [ "$(systemctl show --property ExecMainCode --value "$unit")" = 1 ] || state=$((128 + state))
  exit "$state"
}
# requested: what was handed over to this run; nothing, if it is the clock that began it.
requested() {
  [ ! -e ".request.$what" ] || cat ".request.$what"
  rm -f ".request.$what"
}

# --- programs

# run SHOW PROGRAM…: so that a signal is heeded at once, and ends the program too. Every 10 s SHOW says how far it is.
run() {
  local show=$1
  shift
  "$@" </dev/null &
  await "$show" $!
}
# await SHOW PID: the same for a program that was started already.
await() {
  local show=$1 status=0 next=$((SECONDS + 10)) nap=0.02
  child=$2
  run_since=$SECONDS
  while kill -0 "$child" 2>/dev/null; do
    sleep $nap
    nap=0.2
    if [ $SECONDS -ge $next ]; then
      $show || true
      next=$((SECONDS + 10))
    fi
  done
  wait "$child" || status=$?
  child=''
  return $status
}

# The services of the stack; no terminal, no waiting for a standard input. 8>&- 9>&-: what is started
# here must not hold our locks when we are gone.
compose() {
  docker compose --progress plain --project-name "$NAME" --env-file /dev/null --file docker-compose.yml "$@" </dev/null 8>&- 9>&-
}
# container SERVICE [PROJECT]: the id of the service's container, the newest if there are two.
container() {
  docker ps --latest --quiet --no-trunc --filter "label=com.docker.compose.project=${2:-$NAME}" \
    --filter "label=com.docker.compose.service=$1" --filter label=com.docker.compose.oneoff=False
}
database_server='' # the container
application=mrs-backup # what PostgreSQL calls us
# postgres PROGRAM…, in the container of PostgreSQL; psql and friends are known by their name.
postgres() { postgres_reads "$@" </dev/null; }
postgres_reads() {
  [ -n "$database_server" ] || database_server=$(container postgres)
  docker exec --interactive --user postgres --env "PGAPPNAME=$application" --env PGOPTIONS="${pgoptions:-}" "$database_server" "$@" 8>&- 9>&-
}
as_user=(--username "$DB_USER" --no-password)
sql() { postgres psql "${as_user[@]}" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --set VERBOSITY=terse "$@"; }

wait_for_postgres() {
  local n
  for ((n = 0; n < 300; n++)); do
    database_server=$(container postgres)
    [ -z "$database_server" ] || ! postgres pg_isready --quiet --host 127.0.0.1 --username "$DB_USER" --dbname "$DB_NAME" 2>/dev/null || return 0
    [ $((n % 25)) != 24 ] || ! in_vain || break
    sleep 0.2
  done
  if in_vain; then die "PostgreSQL of $NAME does not answer, and its disk is full" "df -h $PWD/postgres/data"; fi
  keeps
  die "PostgreSQL of $NAME does not answer" "docker compose --file $PWD/docker-compose.yml logs postgres"
}
# keeps: the stack's PostgreSQL is of the version that its data folder is of.
keeps() {
  local why
  why=$(compose config --format json | "$MRS_HOST" keeps 2>&1) ||
    die "$(grep --invert-match '^hint: ' <<<"$why" | paste -sd ';')" "$(sed -n 's/^hint: //p' <<<"$why" | head -n 1)"
}
# in_vain: PostgreSQL is waited for, while it can't even write its log.
in_vain() { [ -d postgres/data ] && [ "$(free postgres/data)" -lt $((32 << 20)) ]; }

# dump_folder has in live_dump the host's folder that the running postgres has as /dump.
dump_folder() {
  live_dump=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/dump"}}{{.Source}}{{end}}{{end}}' "$database_server")
  [ -d "$live_dump" ] || die "the postgres container of $NAME has no folder of the host as /dump"
}

# no_leftovers FOLDER: ends what a run that was killed left at work in the database, and removes
# what it left in FOLDER, home and the database server. The locks must be held.
no_leftovers() {
  at_work_no_more
  rm -rf -- "${1:?}"/data "$1"/data.* "$1"/globals.sql "$1"/settings.sql "$1"/tables.tsv "$1"/restore .restore-* .restore.swap.new .trial.json .bring.restore .counted.restore
  gone "$NAME-trial"
  drop_all restore
  # What was lent goes with who lent it.
  ! flock --nonblock .lend.lock true || drop_all lent
}

# at_work_no_more: ends what a run that was killed left at work in the database. The locks must be held.
at_work_no_more() {
  sql --dbname postgres --command "
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = '$application' and pid <> pg_backend_pid()" >/dev/null
}

# databases KIND: those beside the live one that have KIND and a date in their names.
databases() { sql --dbname postgres --command "select datname from pg_database where datname ~ '^${DB_NAME}_$1_[0-9]{8}t[0-9]{6}z\$' order by 1"; }

# gone PROJECT: nothing is left of a stack that nobody needs to say goodbye to.
gone() {
  local ids
  mapfile -t ids < <(docker ps --all --quiet --filter "label=com.docker.compose.project=$1")
  [ ${#ids[@]} = 0 ] || docker rm --force --volumes "${ids[@]}" >/dev/null
  mapfile -t ids < <(docker network ls --quiet --filter "label=com.docker.compose.project=$1")
  [ ${#ids[@]} = 0 ] || docker network rm "${ids[@]}" >/dev/null
}

# drop DATABASE, as soon as PostgreSQL lets us: it may just have been killed, and be at its recovery.
drop() {
  local n
  for ((n = 0; n < 60; n++)); do
    database_server=$(container postgres)
    # "with (force)" came with PostgreSQL 13.
    ! sql --dbname postgres --command "select from (select pg_terminate_backend(pid) from pg_stat_activity where datname = '$1') t" \
      --command "drop database if exists \"$1\"" >/dev/null 2>&1 || return 0
    [ $((n % 10)) != 9 ] || ! in_vain || break
    sleep 0.5
  done
  say "the database $1 is left, since PostgreSQL does not answer; the next restore removes it"
}
# drop_all KIND: all of databases KIND.
drop_all() {
  local database
  for database in $(databases "$1"); do drop "$database"; done
}

human() { numfmt --to=iec-i --suffix=B -- "${1:-0}"; }
# far DONE TOTAL: how many bytes of how many, and how long the rest will take at the pace so far.
far() {
  local spent=$((SECONDS - run_since)) left=''
  [ "$1" -eq 0 ] || [ "$2" -le "$1" ] || left=", $((spent * ($2 - $1) / $1 + 1)) s left"
  printf '%s of %s%s' "$(human "$1")" "$(human "$2")" "$left"
}
size() { du --summarize --bytes -- "$@" 2>/dev/null | awk '{ n += $1 } END { printf "%.0f\n", n }'; }
free() { df --output=avail --block-size=1 -- "$1" | tail -n 1 | tr -d ' '; }

# enough FOLDER BYTES: adds to problems if the file system of FOLDER has less.
problems=()
enough() {
  local is
  is=$(free "$1")
  [ "$is" -ge "$2" ] || problems+=("$1 has $(human "$is") free, and about $(human "$2") are needed")
}
# no_problems HINT: ends it with all of them, if there are any.
no_problems() {
  [ ${#problems[@]} = 0 ] || die "$(printf '%s; ' "${problems[@]}" | sed 's/; $//')" "$1"
}

# no_swap: nobody reads or changes what a restore that was cut short has left half done.
no_swap() { [ ! -e .restore.swap ] || die "a restore was cut short, and is to be undone first" "$PWD/restore.sh recover"; }

# --- the repository

here() { [[ $RESTIC_REPOSITORY == /* ]]; } # a folder, not an address
# shown: the repository without the password that its address may hold.
shown() { printf '%s' "$RESTIC_REPOSITORY" | sed 's#://\([^:/@]*\):[^@/]*@#://\1:…@#'; }
config_sum() { ! here || sha256sum <"$RESTIC_REPOSITORY/config" | cut -d' ' -f1; }

# repository_id: the id of the repository; fails where it can't be opened.
repository_id() {
  restic cat config 2>/dev/null | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' | grep .
}

# open_repository: makes sure that the repository is there and is the one of this instance, so that
# a disk that is not mounted is never taken for a repository without snapshots; and forgets what a run
# that was killed has left there. The lock must be held.
open_repository() {
  local id ids found
  no_swap
  if ! here || [ "$(sed -n 2p .restic_id)" != "$(config_sum 2>/dev/null)" ]; then
    id=$(repository_id) || die "the repository $(shown) can't be opened" \
      "is its disk mounted? is it reachable? if it is lost, restore.sh latest fetches it from the mirror. restic says: $(restic cat config 2>&1 | head -n 1)"
    [ "$id" = "$(head -n 1 .restic_id)" ] || die "$(shown) is not the repository that the backups of $NAME are in" \
      "if it is to be from now on: rm $PWD/.restic_id, then deploy"
    remember "$id"
  fi
  # Locks of runs that were killed; living ones stay.
  if ! here || [ -n "$(find "$RESTIC_REPOSITORY/locks" -type f -print -quit 2>/dev/null)" ]; then restic unlock --quiet; fi
  if [ -e .backup.unchecked ]; then
    found=$(snapshots) || die "the snapshots of $(shown) can't be listed, so that one that was never checked may be among them"
    mapfile -t ids < <(python3 -c 'import json, sys; print(*(s["id"] for s in json.load(sys.stdin) if s["unchecked"]), sep="\n", end="")' <<<"$found")
    # A run makes one.
    [ ${#ids[@]} -le 1 ] || die "${#ids[@]} snapshots count as never checked, which can't be" "look at them: restic snapshots; then rm $PWD/.backup.unchecked"
    if [ ${#ids[@]} != 0 ]; then
      say "forgetting a snapshot that was made, but never checked"
      restic forget --quiet "${ids[@]}"
    fi
    rm -f .backup.unchecked
  fi
}
remember() {
  printf '%s\n%s\n' "$1" "$(config_sum)" >.restic_id.new
  # An empty one would be that of no repository.
  sync -- .restic_id.new
  mv -f .restic_id.new .restic_id
}

# snapshots: the instance's, in restic's JSON, with "unchecked": those of our own, and those that the
# scripts before ours have made of this home.
snapshots() {
  restic snapshots --json --no-lock | python3 -c '
import calendar, json, os, re, sys, time
name, home = sys.argv[1:]
# Which there were is written down, not when: a clock may go back.
before = set(open(".backup.unchecked").read().split()) if os.path.exists(".backup.unchecked") else None
mine = []
for s in json.load(sys.stdin) or []:
    if s.get("hostname") != name and not any(p.startswith(home + "/") for p in s.get("paths") or []):
        continue
    day, fraction, zone = re.match(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)$", s["time"]).groups()
    offset = 0 if zone == "Z" else int(zone[0] + "1") * (int(zone[1:3]) * 3600 + int(zone[4:]) * 60)
    s["epoch"] = calendar.timegm(time.strptime(day, "%Y-%m-%dT%H:%M:%S")) - offset + float(fraction or 0)
    s["unchecked"] = before is not None and s.get("hostname") == name and s["id"] not in before
    mine.append(s)
mine.sort(key=lambda s: s["epoch"])
json.dump(mine, sys.stdout)
' "$NAME" "$PWD"
}

# choose latest|ID|@EPOCH: sets snapshot, the full id of a good snapshot: the last one, that one, or the last one before a time.
choose() {
  snapshot=$(snapshots | python3 -c '
import json, sys
want = sys.argv[1]
good = [s for s in json.load(sys.stdin) if not s["unchecked"]]
if want[0] == "@":
    good = [s for s in good if s["epoch"] <= float(want[1:])]
elif want != "latest":
    good = [s for s in good if s["id"].startswith(want)]
print(good[-1]["id"] if good else "")
' "$1")
  [ -n "$snapshot" ] || die "there is no such snapshot of $NAME" "restore.sh without argument lists them"
}

# files FOLDER: those of the repository in FOLDER, but config, and when each was last changed. They are sorted: what
# others refer to first.
files() { (cd "$1" && find data index keys snapshots -type f -printf '%p\t%C@\n') | LC_ALL=C sort; }
# other_than LIST: the names of those on standard input that are not, as they are, in LIST; of all if there is no LIST.
# Times are compared for being the same only: a clock may go back.
other_than() { if [ -e "$1" ]; then LC_ALL=C comm -23 - "$1"; else cat; fi | cut -f1; }
# damaged FOLDER: which files of the repository in FOLDER, named on standard input, are not what was written. restic
# names each file by the SHA-256 of what is in it.
damaged() {
  cd "$1" && tr '\n' '\0' |
    xargs --null --no-run-if-empty --max-args 32 --max-procs "$jobs" sha256sum |
    awk '{ file = substr($0, 67); name = file; sub(/.*\//, "", name); if (name != $1) print file }'
}
# all_damaged FOLDER: which of all of them.
all_damaged() { files "$1" | cut -f1 | damaged "$1"; }
# measure: sets total, the bytes of the repository, and adds to the record what it takes of its disk.
measure() {
  local disk
  total=$(size "$RESTIC_REPOSITORY")
  read -r -a disk < <(df --output=avail,size --block-size=1 -- "$RESTIC_REPOSITORY" | tail -n 1)
  facts+=(repository_bytes: "$total" disk_free: "${disk[0]}" disk_size: "${disk[1]}")
}

# intact [all]: makes sure that no file of the repository is damaged: none at all, or none that was
# written since this was last made sure of.
intact() {
  local found
  here || return 0
  [ "${1:-}" != all ] || rm -f .backup.intact
  files "$RESTIC_REPOSITORY" >.backup.intact.new
  found=$(other_than .backup.intact <.backup.intact.new | damaged "$RESTIC_REPOSITORY")
  if [ -n "$found" ]; then
    rm -f .backup.intact.new
    printf '%s\n' "$found" | sed 's#^#damaged: #'
    die "the repository $(shown) is damaged: $(wc -l <<<"$found") of its files are not what was written, the first is $(head -n 1 <<<"$found"); nothing was mirrored" \
      "$PWD/backup.sh repair takes them from the mirror; look at the disk: dmesg, smartctl"
  fi
  mv -f .backup.intact.new .backup.intact
}

# --- the mirror

# ftp: runs lftp's commands on standard input at LFTP_DSN. The address holds a password, so it goes
# by standard input too. Of a server with TLS the certificate is checked; one without is spoken to only
# with LFTP_PLAIN. A file has its name there once it is whole.
ftp() {
  {
    printf '%s\n' 'set cmd:fail-exit yes' 'set net:timeout 20' 'set net:max-retries 2' 'set net:reconnect-interval-base 2' \
      'set xfer:use-temp-file yes' 'set xfer:temp-file-name .in.*' 'set xfer:clobber yes' 'set sftp:auto-confirm no'
    if [ -n "$LFTP_PLAIN" ]; then
      printf '%s\n' 'set ftp:ssl-allow no'
    else
      printf '%s\n' 'set ftp:ssl-force yes' 'set ftp:ssl-protect-data yes' 'set ftp:ssl-protect-list yes' 'set ssl:verify-certificate yes' 'set ssl:check-hostname yes'
    fi
    printf 'open "%s"\n' "$LFTP_DSN"
    cat
  } | lftp
}
# said FILE: the last thing that lftp complained of, without addresses.
said() { grep . "$1" | tail -n 1 | sed 's#[a-z]*://[^ ]*#the mirror#g'; }

# mirror keep|delete: copies the repository to LFTP_DSN: what is new since it last was, or, with delete,
# all of it, and deletes there what is no longer here. A mirror of another repository is left alone.
# Data first, then what refers to them, and deleted the other way round, so that whatever interrupts it,
# what is there is a repository.
mirror() {
  local there folder file log=.mirror.log new=() full=yes at="$NAME/restic"
  local all=(--reverse --parallel=4 --no-perms --no-umask --ignore-time)
  [ -n "$LFTP_DSN" ] || return 0
  here || { say "$(shown) is not a folder: not mirrored"; return 0; }
  say "mirroring $RESTIC_REPOSITORY"
  if ! there=$(printf '%s\n' "mkdir -p -f \"$at\"" "cls -1 \"$at\"" | ftp 2>"$log"); then
    reason="the mirror can't be written to: $(said "$log")"
    return 1
  fi
  if [[ $there == *config* ]] && ! ftp <<<"cat \"$at/config\"" 2>/dev/null | cmp --silent - "$RESTIC_REPOSITORY/config"; then
    reason="the mirror holds another repository, which is left alone"
    hint="if that is the one to go on with: move $RESTIC_REPOSITORY and $PWD/.restic_id away, then deploy; else move it away there, then run $PWD/${0##*/}"
    return 1
  fi
  files "$RESTIC_REPOSITORY" >.mirrored.new || { reason="what is in $RESTIC_REPOSITORY can't be listed"; return 1; }
  if [ "$1" = keep ] && [ -e .mirrored ] && [[ $there == *config* ]]; then
    mapfile -t new < <(other_than .mirrored <.mirrored.new)
    # Many go faster by all at once.
    [ ${#new[@]} -gt 100 ] || full=no
  fi
  {
    if [ $full = yes ]; then
      for folder in data keys index snapshots; do echo "mirror ${all[*]} \"$RESTIC_REPOSITORY/$folder\" \"$at/$folder\""; done
      [[ $there == *config* ]] || echo "put \"$RESTIC_REPOSITORY/config\" -o \"$at/config\""
    else
      for file in "${new[@]}"; do echo "put \"$RESTIC_REPOSITORY/$file\" -o \"$at/$file\""; done
    fi
    if [ "$1" = delete ]; then
      for folder in snapshots index data; do echo "mirror ${all[*]} --delete \"$RESTIC_REPOSITORY/$folder\" \"$at/$folder\""; done
    fi
  } | ftp >/dev/null 2>"$log" && mv -f .mirrored.new .mirrored && return
  reason="mirroring failed: $(said "$log")"
  return 1
}

# fetch: has the repository from the mirror, if that holds one of NAME. Returns 1 where it holds none.
fetch() {
  local there to=$RESTIC_REPOSITORY.fetched bytes log=.mirror.log disk
  [ -n "$LFTP_DSN" ] && here || return 1
  there=$(printf '%s\n' "mkdir -p -f \"$NAME/restic\"" "cls -1 \"$NAME/restic\"" | ftp 2>"$log") ||
    { reason="the mirror does not tell: $(said "$log")"; return 1; }
  [[ $there == *config* ]] || return 1
  # A disk that is to be there, and is not, is not written below.
  while read -r disk; do
    [[ $RESTIC_REPOSITORY/ != "${disk%/}"/* ]] || [ "$disk" = / ] || mountpoint --quiet "$disk" ||
      die "the disk of $RESTIC_REPOSITORY is not mounted" "mount $disk"
  done < <(findmnt --fstab --noheadings --output TARGET 2>/dev/null || true)
  bytes=$(ftp <<<"du -bs \"$NAME/restic\"" 2>"$log" | awk '{ print $1 }') || true
  mkdir -p "$to"
  enough "$to" "$((${bytes:-0} - $(size "$to")))"
  no_problems "df -h $to"
  say "fetching the repository from the mirror: $(human "$bytes")"
  how_far() { say "fetched $(far "$(size "$to")" "${bytes:-0}")"; }
  # What an earlier attempt has fetched is not fetched again.
  get() { ftp <<<"mirror --parallel=4 --no-perms --no-umask --ignore-time \"$NAME/restic\" \"$to\""; }
  run how_far get 2>"$log" || die "the repository can't be fetched from the mirror: $(said "$log")" "once more: $PWD/restore.sh latest goes on where it ended"
  mkdir -p "$to"/{locks,data,index,keys,snapshots}
  [ -z "$(all_damaged "$to")" ] || die "what the mirror holds is damaged, and is in $to"
  if [ -e "$RESTIC_REPOSITORY" ]; then
    mv -- "$RESTIC_REPOSITORY" "$RESTIC_REPOSITORY.$(date -u +%Y%m%dT%H%M%SZ)"
  fi
  mv -- "$to" "$RESTIC_REPOSITORY"
}

# --- a snapshot's data, brought back

# dump_in FOLDER has in dump the folder of the one dump in what was restored from a snapshot; it is
# wherever the folder for dumps was when the snapshot was made.
dump_in() {
  local dumps
  mapfile -t dumps < <(find "$1" -name mrsattachments -prune -o \( -path '*/data/toc.dat' -printf '%h/..\n' \) -o \( -name data.dump -printf '%h\n' \))
  [ ${#dumps[@]} = 1 ] || die "snapshot ${snapshot:0:8} holds ${#dumps[@]} database dumps, not one"
  dump=$(readlink --canonicalize "${dumps[0]}")
}
# part_in FOLDER log|mrsattachments: moves it to the top of FOLDER, wherever it is in the snapshot.
part_in() {
  local found
  found=$(find "$1" -type d -name "$2" -not -path '*/mrsattachments/*' -print -quit)
  [ -n "$found" ] || die "snapshot ${snapshot:0:8} holds no $2"
  [ "$found" = "$1/$2" ] || mv -- "$found" "$1/$2"
}
# restore_size: bytes of what is in the snapshot, as was written down when it was made, or as restic finds.
restore_size() {
  sed -nE "s/.*\"what\": \"backup\".*\"snapshot\": \"${snapshot:0:8}\".*\"bytes\": ([0-9]+).*/\1/p" "$ledger" 2>/dev/null | tail -n 1 | grep . ||
    restic stats --json --mode restore-size "$snapshot" | sed -nE 's/.*"total_size": *([0-9]+).*/\1/p'
}

# bring DUMP DATABASE INSIDE: fills DATABASE, which is empty, with the dump in the host's folder DUMP, which is
# INSIDE for the container of PostgreSQL; makes sure that it has the rows that the backup counted.
# Of what PostgreSQL complains, nothing is shown that may be somebody's data.
bring() {
  local dump=$1 database=$2 inside=$3 log=.bring.$what roles why
  brought() { say "restored $(human "$(sql --dbname postgres --command "select pg_database_size('$database')")") of the database"; }
  why=$("$MRS_HOST" takes "$database_server" <"$dump/$([ ! -e "$dump/data/toc.dat" ] && echo data.dump || echo data/toc.dat)" 2>&1) ||
    die "$why" "an older snapshot; or an instance with compose_postgres_image of that version"
  roles=$(find "$dump" -maxdepth 1 \( -name globals.sql -o -name data.dump \) -print -quit)
  [ -z "$roles" ] || missing_roles <"$roles"
  # It is ours alone until it is swapped in, so a commit need not wait for the disk. Where it is
  # interrupted, PostgreSQL's log would have the row it was at.
  local pgoptions="-c synchronous_commit=off -c maintenance_work_mem=256MB -c log_error_verbosity=terse"
  if [ -e "$dump/data/toc.dat" ]; then
    run brought postgres pg_restore "${as_user[@]}" --dbname "$database" --jobs "$jobs" --exit-on-error "$inside/data" >"$log" 2>&1 ||
      { complaints "$log"; die "the database can't be restored"; }
    # What is set for the database is in the archive too, but for PostgreSQL 10's; of older snapshots, only there.
    if [ -e "$dump/settings.sql" ]; then cat "$dump/settings.sql"; else postgres pg_restore --create --schema-only --file - "$inside/data"; fi | settings "$database"
  else
    # What the scripts before ours made: a plain pg_dumpall of all databases.
    section() { only_database "$DB_NAME" "$database" <"$dump/data.dump" | postgres_reads psql "${as_user[@]}" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set VERBOSITY=terse --dbname "$database"; }
    run brought section >"$log" 2>&1 || { complaints "$log"; die "the database can't be restored from a plain dump"; }
  fi
  rm -f "$log"
  [ ! -e "$dump/tables.tsv" ] || same_rows "$dump/tables.tsv" "$database"
}
# set_for DATABASE: prints what is set for it, as pg_dump --create does since PostgreSQL 11. Lists are kept as
# they are written.
set_for() {
  sql --dbname postgres --command "
    select format('%s SET %I TO %s;',
      case when s.setrole = 0 then format('ALTER DATABASE %I', d.datname) else format('ALTER ROLE %I IN DATABASE %I', r.rolname, d.datname) end,
      v.name, case when v.name in ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries', 'shared_preload_libraries', 'unix_socket_directories')
        then v.value else quote_literal(v.value) end)
    from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase left join pg_roles r on r.oid = s.setrole,
      unnest(s.setconfig) with ordinality c(setting, n), lateral (select split_part(setting, '=', 1) as name, substr(setting, strpos(setting, '=') + 1) as value) v
    where d.datname = '$1' order by s.setrole, n"
}
# settings DATABASE: what is set for DB_NAME (ALTER DATABASE … SET) in the lines on standard input is set for DATABASE.
settings() {
  LC_ALL=C sed -nE "s/^ALTER DATABASE \"?$DB_NAME\"? SET /ALTER DATABASE \"$1\" SET /p; s/^(ALTER ROLE .+ IN DATABASE )\"?$DB_NAME\"? SET /\1\"$1\" SET /p" |
    postgres_reads psql "${as_user[@]}" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres >/dev/null
}
# bring_beside FOLDER DATABASE: makes DATABASE beside the live one and fills it with the snapshot's, by way of
# FOLDER in live_dump, which the caller removes; the caller's how_far says how far it has come.
bring_beside() {
  local there=$live_dump/$1 dump
  mkdir "$there"
  run how_far restic restore "$snapshot" --quiet --target "$there" --exclude mrsattachments --exclude /log --exclude "$PWD/log" ||
    die "the dump can't be read from the repository"
  dump_in "$there"
  chown -R --reference "$live_dump" "$there"
  chmod -R u+rwX "$there"
  say "restoring the database beside the live one"
  sql --dbname postgres --command "create database \"$2\" owner \"$DB_USER\" template template0"
  bring "$dump" "$2" "/dump/${dump#"$(readlink -f "$live_dump")"/}"
}
# analyze DATABASE: so that its queries are planned as they were.
analyze() { postgres vacuumdb "${as_user[@]}" --dbname "$1" --analyze-only --jobs "$jobs" --quiet; }
complaints() { grep --extended-regexp --invert-match '^(DETAIL|CONTEXT|COPY|LINE|STATEMENT|Command was|  )' "$1" | sed -E '11,$d; s/(CONTEXT|DETAIL|Key \(|: ").*//' || true; }

# same_rows TABLES DATABASE
same_rows() {
  local difference
  count_rows "$2" >".counted.$what" || die "the rows of the restored database can't be counted"
  difference=$(comm -3 <(LC_ALL=C sort "$1") <(LC_ALL=C sort ".counted.$what") | sed 's/^\t//' | cut -f1 | sort -u | sed '6,$d' | paste -sd ' ')
  rm -f ".counted.$what"
  [ -z "$difference" ] || die "the restored database has not the rows that the backup counted: $difference"
}
# The tables whose data pg_dump dumps, and how many rows they have.
counting="select format('select %L, count(*) from %I.%I', format('%I.%I', n.nspname, c.relname), n.nspname, c.relname)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
  order by 1 \\gexec"
count_rows() { printf '%s\n' "$counting" | postgres_reads psql "${as_user[@]}" --no-psqlrc --quiet --tuples-only --no-align --field-separator $'\t' --set ON_ERROR_STOP=1 --dbname "$1"; }

# missing_roles: those of a dump of globals on standard input that the server lacks are made as they were.
missing_roles() {
  local lines known role
  mapfile -t lines < <(grep --extended-regexp '^(CREATE|ALTER) ROLE ')
  known=$(sql --dbname postgres --command "select quote_ident(rolname) from pg_roles")
  while IFS= read -r role; do
    ! grep --quiet --fixed-strings --line-regexp -- "$role" <<<"$known" || continue
    printf '%s\n' "${lines[@]}" | role=$role awk '
      { rest = $0; sub(/^[A-Z]+ ROLE /, "", rest) }
      index(rest, ENVIRON["role"]) != 1 { next }
      { rest = substr(rest, length(ENVIRON["role"]) + 1) }
      # What is set for it in a database is of that database, which may not be here.
      rest ~ /^[ ;]/ && rest !~ /^ IN DATABASE /' |
      postgres_reads psql "${as_user[@]}" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres >/dev/null
    say "made the role $role, which the snapshot has"
  done < <(printf '%s\n' "${lines[@]}" | sed -nE 's/^CREATE ROLE ("([^"]|"")+"|[^ ";]+);$/\1/p')
}

# only_database NAME AS: of a plain pg_dumpall, the part that is in the database NAME; what is set for that is set for AS.
only_database() {
  awk -v name="$1" -v as="$2" '
    copying { print; if ($0 == "\\.") copying = 0; next }
    skipping { if ($0 == "\\.") skipping = 0; next }
    # pg_dump connects to the same database once more where something is set for it.
    $1 == "\\connect" {
      to = $0; sub(/^\\connect +/, "", to); sub(/^-reuse-previous=on +/, "", to); gsub(/"/, "", to); sub(/^dbname=/, "", to); gsub(/\047/, "", to)
      inside = to == name
      if (inside) found = 1
      next
    }
    !inside { if ($0 ~ /^COPY .* FROM stdin;$/) skipping = 1; next }
    /^-- PostgreSQL database dump complete/ { inside = 0; complete = 1; next }
    # What servers of today do not know any more.
    /^SET default_with_oids/ || $1 == "\\restrict" || $1 == "\\unrestrict" { next }
    $1 == "ALTER" && / DATABASE / && / SET / { sub(" DATABASE \"?" name "\"? ", " DATABASE \"" as "\" ") }
    { print }
    /^COPY .* FROM stdin;$/ { copying = 1 }
    # One that was cut short must not look like one that ended.
    END {
      if (!found || !complete || copying) {
        if (copying) print "\\."
        print "select 1/0;"
        exit 1
      }
    }
  '
}

# --- a trial: the application on data that are not in use

# trial_file KIND FOLDER: prints a compose file of the stack that touches nothing of what runs.
#   restore: the application alone, on the running PostgreSQL's database $database
#   drill:   the application and a PostgreSQL of their own, in a network without a way out
# FOLDER has mrsattachments and log; what else the stack has on the host is empty there.
trial_file() {
  compose config --format json | python3 -c '
import json, os, sys
kind, folder, database, network = sys.argv[1:]
stack = json.load(sys.stdin)
def own(service):
    keep = ("image", "environment", "command", "entrypoint", "healthcheck", "shm_size", "sysctls", "user", "working_dir", "ulimits", "tmpfs", "stop_grace_period", "init", "cap_add", "cap_drop", "security_opt", "mem_limit")
    s = {k: v for k, v in stack["services"][service].items() if k in keep}
    s["volumes"] = []
    for v in stack["services"][service].get("volumes") or []:
        if v.get("type") != "bind":
            continue
        name = os.path.basename(v["source"].rstrip("/"))
        path = os.path.join(folder, service + "-" + name if name not in ("mrsattachments", "log", "dump", "data") else name)
        if v["target"] == "/dump":
            path = os.path.join(folder, "dump")
        if not os.path.exists(path) and os.path.isdir(v["source"]):
            was = os.stat(v["source"])
            os.makedirs(path)
            os.chown(path, was.st_uid, was.st_gid)
            os.chmod(path, was.st_mode & 0o7777)
        elif os.path.isfile(v["source"]):
            path = v["source"]
        s["volumes"].append({"type": "bind", "source": path, "target": v["target"], "read_only": v.get("read_only", False) or os.path.isfile(path)})
    return s
trial = own("django")
env = trial.setdefault("environment", {})
# Nobody gets mail of a rehearsal, nor a report of its errors.
env.update({"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": "9", "SENTRY_DSN": "", "ADMINS": ""})
out = {"services": {"trial": trial}}
if kind == "restore":
    env["DB_NAME"] = database
    out["networks"] = {"default": {"external": True, "name": network}}
else:
    out["services"]["postgres"] = own("postgres")
    out["networks"] = {"default": {"internal": True}}
# Compose would look for variables in what is rendered already.
json.dump(json.loads(json.dumps(out).replace("$$", "$").replace("$", "$$")), sys.stdout)
' "$1" "$2" "${database:-}" "$(docker inspect --format '{{range $name, $_ := .NetworkSettings.Networks}}{{println $name}}{{end}}' "$database_server" | head -n 1)"
}

# logged CONTAINER: the last lines of its log, without what may be somebody's data.
logged() { { docker logs --tail 20 "$1" 2>&1 || true; } | sed -E '/DETAIL|CONTEXT/d; s/(Key \(|: ").*//'; }
site=(-url="$URL" -names="$NAMES" -maintenance=either)
[ -z "$BASICAUTH" ] || site+=(-basicauth)
# decide COMMAND OPTION…: what mrs-host says, which is the reason where it is no.
decide() {
  local said status=0
  said=$(mktemp)
  run true "$MRS_HOST" "$@" 2>"$said" 7>&- 8>&- 9>&- || {
    status=$?
    reason=$(tail -n 1 "$said")
  }
  rm -f "$said"
  return $status
}
# well CONTAINER DATABASE: waits until its own answers are right, and is proven to use the database of $database_server.
well() {
  if decide answers "${site[@]}" -path="$PAGE" -within="${TIMEOUT}s" "$1" && decide answers "${site[@]}" "$1" &&
    decide proves "${site[@]}" -server="$database_server" -database="$2" -role="$DB_USER" "$1"; then
    return 0
  fi
  logged "$1"
  reason="the application does not run well on it: $reason"
  return 1
}
