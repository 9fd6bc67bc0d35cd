#!/usr/bin/env bash
# Restores a snapshot of the instance whose home this script is in; or has it take over a copy of
# another's database.
#
#   restore.sh                            lists the snapshots
#   restore.sh list                       the same, and what was done, in JSON
#   restore.sh [--only PART] latest       restores the last one; PART: database or attachments
#   restore.sh [--only PART] ID           restores that one
#   restore.sh [--only PART] --at TIME    restores the last one before "2026-11-20 14:00", the server's time
#   restore.sh recover                    puts back what a restore that was killed has moved; where it can't,
#                                         systemd tries again every 30 s
#   restore.sh discard STAMP              removes what a restore, or an adoption, has kept
#   restore.sh adopt DATABASE             swaps in a copy that somebody has filled on the same server, named
#                                         MRS_copy_20261120t140000z where MRS is the live one; never in production
#   restore.sh abandon                    drops all such copies, but one that is being adopted
#
# The snapshot is restored into a new database and new folders beside the live ones, which go on
# serving meanwhile, and the application is tried on it. Only when all that went well is it swapped in;
# what was there is kept, under the same names with the date behind them. If anything fails before the
# swap, nothing has changed; if the swap fails, is interrupted or killed, it is undone. It runs in
# systemd, where there is one, so a lost terminal does not end it.
#
# A copy is adopted the same way; on its trial it gets a superuser dev, with the password dev, and
# mrsattachments gets the picture 1x1.png, which a copy's rows may name. One that does not work out is
# dropped. The database that was there is kept as MRS_before_STAMP, and the one before that is dropped:
# what restores keep, MRS_STAMP, is not touched.
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

list() {
  local disk=(0 0)
  ! here || read -r -a disk < <(df --output=avail,size --block-size=1 -- "$RESTIC_REPOSITORY" | tail -n 1)
  # What is wrong with the repository is for who asks.
  found=$(snapshots)
  printf '{"instance": "%s", "repository": %s, "mirrored": %s, "repository_bytes": %s, "disk_free": %s, "disk_size": %s, "snapshots": %s, "runs": [' \
    "$NAME" "$(shown | python3 -c 'import json, sys; print(json.dumps(sys.stdin.read()))')" "$([ -n "$LFTP_DSN" ] && echo true || echo false)" \
    "$(if here; then size "$RESTIC_REPOSITORY" || true; else echo 0; fi)" "${disk[0]}" "${disk[1]}" "$found"
  # A line that the power cut short is left out.
  [ ! -e "$ledger" ] || tail -n 2000 "$ledger" | python3 -c '
import json, sys
runs = []
for line in sys.stdin.buffer:
    try:
        runs.append(json.dumps(json.loads(line)))
    except ValueError:
        pass
print(",".join(runs))'
  printf ']}\n'
}

# rename FROM TO FROM TO: databases, in one transaction, with nobody connected. The first may be the
# only one.
rename() {
  local more=''
  [ $# -lt 4 ] || more="alter database \"$3\" rename to \"$4\";"
  sql --dbname postgres --command "
    select pg_terminate_backend(pid) from pg_stat_activity where datname in ('$1', '${3:-$1}') and pid <> pg_backend_pid();
    begin; alter database \"$1\" rename to \"$2\"; $more commit" >/dev/null
}
# django: the containers of the application, those that run; or all, with --all.
django() { docker ps --quiet "$@" --filter "label=com.docker.compose.project=$NAME" --filter label=com.docker.compose.service=django; }
# held yes|no: whether the engine starts django by itself, as after a loss of power.
held() {
  local id
  for id in $(django --all); do
    docker update --restart "$([ "$1" = yes ] && echo no || echo "${restarts:-always}")" "$id" >/dev/null
  done
}

# stopped: the application ends what it serves, and then itself; it is stopped in any case.
stopped() {
  local running
  mapfile -t running < <(django)
  "$MRS_HOST" quit -within=60s "${running[@]}" 8>&- 9>&- </dev/null || true
  compose stop django >/dev/null 2>&1
}

# undo puts back what the swap has moved, and reports whether all of it is back. What was there has
# its dated name if and only if it was moved, so it may be done more than once.
undo() {
  local folder there
  say "undoing"
  # Nothing is moved below one that still writes.
  stopped || { there=$(django) && [ -z "$there" ]; } || return 1
  [ "${placeholder:-}" != missing ] || rm -f mrsattachments/1x1.png
  mkdir -p "$beside"
  for folder in "${folders[@]}"; do
    [ -e "$folder.$stamp" ] || continue
    { [ ! -e "$folder" ] || mv -- "$folder" "$beside/$folder.undone"; } && mv -- "$folder.$stamp" "$folder" || return 1
  done
  compose up --detach --wait postgres >/dev/null 2>&1 || return 1
  database_server=$(container postgres)
  there=$(sql --dbname postgres --command "select count(*) from pg_database where datname = '$kept'") || return 1
  [ "$there" = 0 ] || rename "$DB_NAME" "$database" "$kept" "$DB_NAME" || return 1
  held no
  compose up --detach --wait >/dev/null 2>&1 || return 1
  rm -f .restore.swap
}
not_undone() {
  reason="${reason:+$reason; }NOT all could be put back, and nothing more is touched"
  local there="database $kept" again=''
  [ ${#folders[@]} = 0 ] || there+=" and ${folders[*]/%/.$stamp}"
  [ ! -d /run/systemd/system ] || again="it is tried again every 30 s, or at once by "
  hint="what was there is $there; mend what is in the way (a full disk?): $again$PWD/restore.sh recover"
}
# retry: as often as it takes, for what was in the way may be mended by one who has never heard of us.
# The next boot has a unit of its own.
retry() {
  [ -d /run/systemd/system ] && [[ ! $(systemctl is-active "$NAME-undo") =~ ^(activating|active)$ ]] || return 0
  systemd-run --quiet --collect --unit "$NAME-undo" --description "What a restore of $NAME has left half way" \
    --property Restart=on-failure --property RestartSec=30 /bin/bash "$PWD/restore.sh" recover again ||
    say "systemd does not try again"
}
remove_beside() {
  gone "$NAME-trial" >/dev/null 2>&1
  rm -rf -- "${beside:?}" .trial.json .bring.restore .counted.restore ${live_dump:+"$live_dump/restore"}
  [ -z "$database_server" ] || drop "$database"
}

recover() {
  trap '' HUP INT TERM PIPE # half undone is worse
  exec 9>>.backup.lock
  if ! flock --nonblock 9; then
    # Whoever has it is at work; but nobody undoes a swap but us, and nobody works on while there is one.
    [ -e .restore.swap ] || return 0
    flock --timeout 600 9 || die "a restore was cut short, and can't be undone while another backup, prune or drill is at work" "$PWD/restore.sh recover"
  fi
  if [ -e .restore.swap ]; then
    # shellcheck source=/dev/null
    . ./.restore.swap
    say "a restore was cut short in the middle of its swap"
    wait_for_engine
    if ! undo; then
      not_undone
      # Who asks again every 30 s is not told every 30 s.
      [ "${1:-}" = again ] || { retry; tell "$NAME on $(hostname): $reason (docs/runbook.md)" || true; }
      exit 1
    fi
    if [ "${started:-}" = yes ] && [ -n "${folders[*]/spooler/}" ]; then
      # People may have used it: it goes only when somebody says so.
      mv -- "$beside" "undone.$stamp"
      rename "$database" "${DB_NAME}_undone_${stamp,,}" || true
      say "kept, as the site had been started on it: undone.$stamp, database ${DB_NAME}_undone_${stamp,,}; restore.sh discard $stamp"
    else
      remove_beside || true
    fi
    say "$NAME is as it was before"
    [ "${1:-}" != again ] || tell "$NAME on $(hostname): a restore that could not be undone is undone; it is as it was before" || true
  fi
  if [ "${1:-}" = boot ] && [ -e .recreating ]; then
    say "the power went when the containers were being replaced: starting what docker-compose.yml says"
    wait_for_engine
    compose up --detach >/dev/null 2>&1 || die "the stack does not start" "docker compose --file $PWD/docker-compose.yml up --detach"
    rm -f .recreating
  fi
  for cut in .running.*; do
    [ -e "$cut" ] || continue
    if [ "$cut" = .running.copy ] && copy_named "$(sed -n 2p "$cut")"; then
      wait_for_engine
      drop "$(sed -n 2p "$cut")"
    fi
    # These have a lock of their own.
    case $cut in .running.drill | .running.lend) flock --nonblock ".${cut#.running.}.lock" true || continue ;; esac
    cut_short "${cut#.running.}"
    # The night it was for is not over.
    [ "$cut" != .running.backup ] || [ "${1:-}" != boot ] || systemctl start --no-block "$NAME-backup.service"
  done
}
wait_for_engine() {
  local n
  for ((n = 0; n < 600; n++)); do
    ! docker version >/dev/null 2>&1 || return 0
    sleep 0.5
  done
  die "the Docker engine does not answer"
}

discard() {
  local path
  [[ ${1:-} =~ ^[0-9]{8}T[0-9]{6}Z$ ]] || die "which one?" "restore.sh discard STAMP; there are: $(find . -maxdepth 1 -regex '.*\.[0-9]+T[0-9]+Z' -printf '%f ')"
  only_one
  # What a restore that was cut short has moved is not kept: it is all that there is.
  no_swap
  wait_for_postgres
  for path in *."$1"; do
    [ ! -e "$path" ] || rm -rf -- "$path"
  done
  drop "${DB_NAME}_${1,,}"
  drop "${DB_NAME}_before_${1,,}"
  drop "${DB_NAME}_undone_${1,,}"
  say "what was kept at $1 is removed"
}

abandon() {
  local abandoned adopted=''
  # Where nobody has the lock, the one that was to be adopted is nobody's either.
  flock --nonblock .backup.lock true || adopted=$(sed -n 2p .running.copy 2>/dev/null) || true
  wait_for_postgres
  for abandoned in $(databases copy); do
    [ "$abandoned" != "$adopted" ] || continue
    drop "$abandoned"
    say "dropped: $abandoned"
  done
}
copy_named() { [[ $1 == "${DB_NAME}"_copy_* && ${1#"${DB_NAME}_copy_"} =~ ^[0-9]{8}t[0-9]{6}z$ ]]; }

# The picture of a single pixel.
pixel=iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==

case ${1:-} in
  '')
    snapshots | python3 -c '
import json, sys, time
for s in json.load(sys.stdin):
    print(s["short_id"], time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(s["epoch"])), " ".join(s.get("tags") or []), "(NOT CHECKED)" if s["unchecked"] else "")'
    exit
    ;;
  list | recover | discard | abandon)
    careful
    "$@"
    exit
    ;;
esac

careful
asked=("$@") handed=no
if [ "$1" = unit ]; then
  handed=yes
  mapfile -t asked < <(requested)
fi
set -- "${asked[@]}"
only='' wanted='' copy='' done=restored
if [ "${1:-}" = adopt ]; then
  copy=${2:-}
  set -- # a copy is a database, and nothing else
  only=database done=adopted
  [[ ! $NAME =~ ^(mrs-)?production$ ]] || die "$NAME adopts no copy, whoever asks"
  copy_named "$copy" || die "'$copy' is no name of a copy" "${DB_NAME}_copy_$(date -u +%Y%m%dt%H%M%Sz)"
fi
while [ $# -gt 0 ]; do
  case $1 in
    --only) only=${2:-} && shift ;;
    --at)
      [[ ${2:-} =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}([\ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|\ UTC|[+-][0-9]{2}:?[0-9]{2})?)?$ ]] ||
        die "'${2:-}' is not a time" '--at "2026-11-20 14:00"'
      wanted=@$(date --date "$2" +%s)
      shift
      ;;
    *) wanted=$1 ;;
  esac
  shift
done
[ -n "$copy" ] || [[ $wanted =~ ^(latest|@[0-9]+|[0-9a-f]{8,64})$ ]] || die "'$wanted' is not a snapshot" "restore.sh without argument lists them"
case $only in
  '') folders=(log mrsattachments) ;;
  database) folders=() ;;
  attachments) folders=(mrsattachments) ;;
  *) die "--only '$only' is not known" "database, or attachments" ;;
esac
[ $handed = yes ] || hand_over "$NAME-restore" refuse "${asked[@]}"

[ -z "$copy" ] || what=copy # for the record
order exclusive
only_one
no_swap
counts
keeps
stamp=$(date -u +%Y%m%dT%H%M%SZ)
beside=$PWD/.restore-$stamp
database=${copy:-${DB_NAME}_restore_${stamp,,}}
kept=${DB_NAME}_${copy:+before_}${stamp,,}
phase=beside live_dump='' placeholder=''
cleanup() {
  if [ $phase = swap ] && ! undo; then
    not_undone
    return
  fi
  for child in ${fetching:-} ${analyzing:-}; do { kill "$child"; wait "$child"; } 2>/dev/null; done
  remove_beside
  [ $phase = swapped ] || reason="$reason; nothing was $done, $NAME is as it was before"
}
if [ -n "$copy" ]; then
  echo "$copy" >>.running.copy
else
  if here && [ ! -e "$RESTIC_REPOSITORY/config" ]; then
    fetch || die "the repository $(shown) is gone, and no mirror has it${reason:+: $reason}" "is its disk mounted?"
  fi
  open_repository
  choose "$wanted"
fi
wait_for_postgres
dump_folder
no_leftovers "$live_dump"
if [ -n "$copy" ]; then
  bytes=$(sql --dbname postgres --command "select pg_database_size(datname) from pg_database where datname = '$copy'")
  [ -n "$bytes" ] || die "there is no database $copy"
else
  bytes=$(restore_size)
  enough "$PWD" "${bytes:-0}"
  enough "$live_dump" "${bytes:-0}"
  no_problems "df -h"
fi
facts+=(bytes: "${bytes:-0}")

[ -n "$copy" ] || say "restoring snapshot ${snapshot:0:8} beside what runs: $(human "$bytes")"
mkdir -p "$beside"
how_far() { say "fetched $(far "$(size "$beside" "$live_dump/restore")" "$bytes")"; }
# The database is restored while the folders still come.
if [ ${#folders[@]} != 0 ]; then
  restic restore "$snapshot" --quiet --target "$beside" "${folders[@]/#/--include=}" </dev/null >"$beside/said" 2>&1 &
  fetching=$!
fi
if [ "$only" != attachments ] && [ -z "$copy" ]; then
  bring_beside restore "$database"
fi
if [ ${#folders[@]} != 0 ]; then
  # What restic says of it are names of people's files.
  await how_far "$fetching" || die "the folders can't be read from the repository"
  fetching=''
  for folder in "${folders[@]}"; do part_in "$beside" "$folder"; done
fi
# What of the dump is still in memory never has to be written.
[ -z "$live_dump" ] || rm -rf -- "$live_dump/restore"

if [ "$only" != attachments ]; then
  say "trying the application on ${copy:-it}"
  analyze "$database" >"$beside/analyzed" 2>&1 &
  analyzing=$!
  trying=$beside/trial
  mkdir "$trying"
  # What is not restored stays as it is, and is not there to be tried.
  for folder in "${folders[@]}"; do ln -s "$beside/$folder" "$trying/$folder"; done
  trial_file restore "$trying" >.trial.json
  try=(docker compose --progress plain --project-name "$NAME-trial" --project-directory "$trying" --env-file /dev/null --file .trial.json)
  "${try[@]}" up --detach </dev/null >"$beside/said" 2>&1 8>&- 9>&- || { tail -n 5 "$beside/said"; die "the application can't be started on it"; }
  trial=$(container trial "$NAME-trial")
  well "$trial" "$database" || die "$reason"
  if [ -n "$copy" ]; then
    globals read "$DB_NAME" >"$beside/globals.json" || die "$reason"
    globals bring "$copy" <"$beside/globals.json" || die "$reason"
  fi
  [ -z "$copy" ] || decide developers "${site[@]}" "$trial" || die "it is not open to dev with the password dev: $reason"
  gone "$NAME-trial"
  wait "$analyzing" || { tail -n 3 "$beside/analyzed"; die "the database can't be analyzed"; }
  analyzing=''
fi

if [ "$only" != attachments ]; then
  # What waits to be mailed names rows of the database that goes: in another one it would be somebody else's.
  if [ -d spooler ]; then
    (cd spooler && find . -type d -print0) | while IFS= read -r -d '' part; do
      mkdir -p "$beside/spooler/$part"
      chown --reference "spooler/$part" "$beside/spooler/$part"
      chmod --reference "spooler/$part" "$beside/spooler/$part"
    done
    folders+=(spooler)
  fi
  [ -z "$JOBS" ] || "$MRS_HOST" moment -server="$database_server" -database="$DB_NAME" -role="$DB_USER" -lead=60s "$(container django)" 8>&- 9>&- </dev/null || true
fi
say "swapping"
[ -z "$copy" ] || [ -e mrsattachments/1x1.png ] || placeholder=missing
restarts=$(docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' "$(container django)" 2>/dev/null || true)
# It has its name once it is whole; until then it goes with all that is beside.
printf '%s=%q\n' stamp "$stamp" beside "$beside" database "$database" kept "$kept" live_dump "$live_dump" restarts "${restarts:-always}" placeholder "$placeholder" >"$beside/swap"
printf 'folders=(%s)\n' "${folders[*]}" >>"$beside/swap"
sync --file-system "$beside"
phase=swap
mv "$beside/swap" .restore.swap
sync .
held yes
stopped
[ "$only" = attachments ] || rename "$DB_NAME" "$kept" "$database" "$DB_NAME"
for folder in "${folders[@]}"; do
  mv -- "$folder" "$folder.$stamp"
  mv -- "$beside/$folder" "$folder"
done
echo started=yes >>.restore.swap
sync .restore.swap
held no
compose up --detach >"$beside/said" 2>&1 || { tail -n 5 "$beside/said"; die "the stack does not start on it"; }
well "$(container django)" "$DB_NAME" || die "$reason"
# The load balancer knows it a moment later.
decide answers "${site[@]}" -path="$PAGE" -within=60s || {
  say "visitors do not get there yet: $reason"
  reason=''
}
if [ "$placeholder" = missing ]; then
  base64 --decode >mrsattachments/1x1.png <<<"$pixel"
  chmod 0640 mrsattachments/1x1.png
  chown --reference mrsattachments mrsattachments/1x1.png
fi
# From here on it is done, and who interrupts it comes too late.
trap '' HUP INT TERM PIPE
rm -f .restore.swap
sync .
phase=swapped
differing "$beside/differs"

waiting=0
[ ! -d "spooler.$stamp" ] || waiting=$(find "spooler.$stamp" -type f | wc -l)
[ "$waiting" = 0 ] || say "$waiting mails or jobs were waiting to be done: with the database that they are of they are set aside, in spooler.$stamp"
if [ -n "$copy" ]; then
  for earlier in spooler.*; do [ ! -d "$earlier" ] || [ "$earlier" = "spooler.$stamp" ] || rm -rf -- "$earlier"; done
  for earlier in $(databases before); do [ "$earlier" = "$kept" ] || drop "$earlier"; done
fi
[ "$only" = attachments ] || say "kept as it was: database $kept"
[ ${#folders[@]} = 0 ] || say "kept as it was: ${folders[*]/%/.$stamp}"
say "once all is well: $PWD/restore.sh discard $stamp"
if [ -n "$copy" ]; then
  say "$NAME has adopted $copy"
else
  say "$NAME is restored from snapshot ${snapshot:0:8}${differs:+, and differs from what was backed up: see above}"
fi
