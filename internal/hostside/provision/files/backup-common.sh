# shellcheck shell=bash disable=SC2317
# What restore.sh, drill.sh, export.sh, lend.sh and alert.sh share. They source it from the instance's home.
# backup.sh and prune.sh are mrs-host (internal/hostside/backup), which takes the same locks and knows the same files.
#
# Files in home, beside the scripts:
#   .backup.env         settings, written by the deployment
#   .restic_password    the repository's password; .restic_id: its id, and the sum of its config
#   .running.WHAT       WHAT is at work, since its time; one that nobody has a lock for was killed. A copy's
#                       has the name of its database, too
#   .backup.unchecked   a backup is at work, or was killed: snapshots that are not in this list were not
#                       checked, and are not to be trusted
#   .backup.intact      the files of the repository that are known to be whole
#   .mirrored           those that the mirror has
#   .request.WHAT       what somebody has handed over to a unit of systemd
#   .restore.swap       a restore is moving things, and how they are to be put back
# and what was done is kept in /var/log/mrs-ops/NAME.backups.log (a JSON object a line), and for
# the monitoring in /var/lib/mrs-ops/NAME.prom.

what=${0##*/}
what=${what%.sh}
began=$SECONDS reason='' hint='' failed='' doing='' child='' cause='' snapshot='' counted=no
facts=() # for the record: NAME VALUE …
properties='' # of the database that was dumped, where the snapshot has them

# say TEXT: what is being done; where it fails for no reason that we know, that is all there is to tell.
say() {
  doing=$*
  printf '%s\n' "$*"
}
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

NAME='' RESTIC_REPOSITORY='' DB_NAME='' DB_USER='' MRS_HOST='' URL='' NAMES='' PAGE=/ BASICAUTH='' TIMEOUT=''
# shellcheck disable=SC2034 # restore.sh's
JOBS='' LFTP_DSN=''
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
  if [ "$status" != 0 ] && [ -z "$reason" ]; then
    reason="it failed unexpectedly${doing:+, the last it said is: $doing}"
    hint=${hint:-"why is above, if a program has said it${failed:+; for whoever mends the scripts: $failed}"}
  fi
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
  trap 'failed="${BASH_SOURCE[0]##*/}, line $LINENO"' ERR
  # A lost terminal is none of our business; neither is one who no longer listens.
  trap 'reason="interrupted"; exit 130' INT TERM
  trap 'reason="interrupted: the terminal is gone"; exit 129' HUP PIPE
}

# record NAME VALUE …: keeps what was done, and tells the monitoring. A value is text, unless its name ends in ":".
record() { "$MRS_HOST" record "$@"; }

# tell TEXT: in the journal, and in the team's Slack if it listens.
tell() { "$MRS_HOST" tell "$1"; }

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

# hand_over UNIT refuse ARGUMENT…: has systemd run this script with the arguments, so that it outlives
# this terminal; shows what it says, and ends as it does. One that is at work already is refused. Where
# systemd does not run, or has no such unit, it returns.
hand_over() {
  local unit=$1.service before invocation state seen mine since=() stopped=no n asking
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
    printf '%s: %s is at work already\nhint: journalctl --follow --unit %s\n' "${0##*/}" "$unit" "$unit" >&2
    exit 1
  fi
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
  rm -rf -- "${1:?}"/data "$1"/data.* "$1"/globals.* "$1"/settings.sql "$1"/tables.tsv "$1"/restore .restore-* .restore.swap.new .trial.json .bring.restore .counted.restore
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
  restic cat config --no-lock 2>/dev/null | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' | grep .
}

# open_repository: makes sure that the repository is there and is the one of this instance, so that
# a disk that is not mounted is never taken for a repository without snapshots; and forgets what a run
# that was killed has left there. The lock must be held.
open_repository() {
  local id ids found
  no_swap
  if ! here || [ "$(sed -n 2p .restic_id)" != "$(config_sum 2>/dev/null)" ]; then
    id=$(repository_id) || die "the repository $(shown) can't be opened" \
      "is its disk mounted? is it reachable? if it is lost, restore.sh latest fetches it from the mirror. restic says: $(restic cat config --no-lock 2>&1 | head -n 1)"
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
      # A server that only lets add says yes to it, too.
      if ! found=$(snapshots) || [ "$(python3 -c 'import json, sys; print(sum(s["unchecked"] for s in json.load(sys.stdin)))' <<<"$found")" != 0 ]; then
        die "snapshot ${ids[0]:0:8}, which was never checked, is still there after restic has forgotten it"
      fi
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

# all_damaged FOLDER: which files of the repository in FOLDER are not what was written, or can't be read.
all_damaged() { "$MRS_HOST" damaged "$1"; }

# fetch: has the repository from the mirror, if that holds one of NAME. Returns 1 where it holds none.
fetch() {
  local complaints status=0
  complaints=$(mktemp)
  run true "$MRS_HOST" backup fetch 2>"$complaints" || status=$?
  reason=$(sed -nE 's/^[a-z]+\.sh: //p' "$complaints")
  hint=$(sed -n 's/^hint: //p' "$complaints")
  rm -f "$complaints"
  case $status in
    0) return 0 ;;
    69) return 1 ;;
    *) die "$reason" "$hint" ;;
  esac
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
  [ -z "$roles" ] || globals roles <"$roles" || die "$reason"
  # It is ours alone until it is swapped in, so a commit need not wait for the disk. Where it is
  # interrupted, PostgreSQL's log would have the row it was at.
  local pgoptions="-c synchronous_commit=off -c maintenance_work_mem=256MB -c log_error_verbosity=terse"
  if [ -e "$dump/data/toc.dat" ]; then
    run brought postgres pg_restore "${as_user[@]}" --dbname "$database" --jobs "$jobs" --exit-on-error "$inside/data" >"$log" 2>&1 ||
      { complaints "$log"; die "the database can't be restored"; }
    # Of snapshots that have no globals.json, what is set for the database is in settings.sql or, of older ones and but
    # for PostgreSQL 10's, in the archive.
    if [ -n "$properties" ]; then
      globals bring "$database" <<<"$properties" || die "$reason"
    elif [ -e "$dump/settings.sql" ]; then
      settings "$database" <"$dump/settings.sql"
    else
      postgres pg_restore --create --schema-only --file - "$inside/data" | settings "$database"
    fi
  else
    # What the scripts before ours made: a plain pg_dumpall of all databases.
    section() { only_database "$DB_NAME" "$database" <"$dump/data.dump" | postgres_reads psql "${as_user[@]}" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --set VERBOSITY=terse --dbname "$database"; }
    run brought section >"$log" 2>&1 || { complaints "$log"; die "the database can't be restored from a plain dump"; }
  fi
  rm -f "$log"
  [ ! -e "$dump/tables.tsv" ] || same_rows "$dump/tables.tsv" "$database"
}
# globals COMMAND [DATABASE]: what of it pg_dump does not hold (internal/hostside/globals); sets reason where it fails.
globals() {
  local said status=0
  said=$(mktemp)
  "$MRS_HOST" globals "$1" -server="$database_server" -role="$DB_USER" -database="${2:-}" 2>"$said" 7>&- 8>&- 9>&- || {
    status=$?
    reason=$(tail -n 1 "$said")
  }
  rm -f "$said"
  return $status
}
# make_database DATABASE DUMP: an empty one, which sorts as the one that was dumped into the folder DUMP. Has its
# properties, for what is to come.
make_database() {
  if [ -e "$2/globals.json" ]; then
    properties=$(cat "$2/globals.json")
    globals create "$1" <<<"$properties" || die "$reason"
  else
    sql --dbname postgres --command "create database \"$1\" template template0"
  fi
}
# differing FILE: says what of the database, once it is DB_NAME, is not as it was backed up, and has it in differs and
# in the record. FILE is overwritten. The data are there: none of it is an error.
differs=''
differing() {
  [ -n "$properties" ] || return 0
  if globals settle "$DB_NAME" <<<"$properties" >"$1"; then
    [ -s "$1" ] || return 0
    say "what is not as it was backed up:"
    sed 's/^/- /' "$1"
    differs=$(sed '$!s/$/;/' "$1" | paste -sd ' ')
  else
    differs="what differs can't be found out: $reason"
    reason=''
    say "$differs"
  fi
  facts+=(differs "$differs")
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
  make_database "$2" "$dump"
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
