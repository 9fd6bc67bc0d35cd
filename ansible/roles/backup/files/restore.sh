#!/usr/bin/env bash
# Restores a snapshot of the instance whose home this script is in.
#
#   restore.sh            lists the snapshots
#   restore.sh latest     restores the last one
#   restore.sh ID         restores that one
#
# The snapshot is restored into a new database and new folders beside the live ones, which go on
# serving meanwhile. Only when all of it is there is it swapped in; what was there is kept, under
# the same names with the date behind them. If anything fails before the swap, nothing has changed;
# if the swap fails, is interrupted or loses its terminal, it is undone.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

if [ $# = 0 ]; then
  exec restic snapshots --compact --host "$NAME"
fi
snapshot=$1
[[ $snapshot =~ ^(latest|[0-9a-f]{8,64})$ ]] || die "'$snapshot' is not a snapshot" "restore.sh without argument lists them"

only_one
open_repository
wait_for_postgres
live_dump=$(dump_folder)
no_leftovers "$live_dump"

folders=(log mrsattachments)
stamp=$(date -u +%Y%m%dT%H%M%SZ)
beside=$PWD/.restore-$stamp
database=${DB_NAME}_restore_${stamp,,}
kept=${DB_NAME}_${stamp,,}
phase=beside

# rename FROM TO FROM TO: databases, in one transaction, with nobody connected.
rename() {
  sql --dbname postgres --command "
    select pg_terminate_backend(pid) from pg_stat_activity where datname in ('$1', '$3') and pid <> pg_backend_pid();
    begin; alter database \"$1\" rename to \"$2\"; alter database \"$3\" rename to \"$4\"; commit" >/dev/null
}

# undo puts back what the swap has moved, and reports whether all of it is back. What was there has
# its dated name if and only if it was moved.
undo() {
  local folder there
  say "undoing"
  compose stop django
  for folder in "${folders[@]}"; do
    [ -e "$folder.$stamp" ] || continue
    { [ ! -e "$folder" ] || mv -- "$folder" "$beside/$folder.undone"; } && mv -- "$folder.$stamp" "$folder" || return 1
  done
  compose up --detach --wait postgres || return 1
  there=$(sql --dbname postgres --command "select count(*) from pg_database where datname = '$kept'") || return 1
  [ "$there" = 0 ] || rename "$DB_NAME" "$database" "$kept" "$DB_NAME" || return 1
  compose up --detach --wait
}

# finish runs however this script ends, to its own end: neither a lost terminal nor Ctrl-C stops it.
finish() {
  local status=$?
  set +e
  trap '' HUP INT TERM PIPE
  if [ $phase = swap ] && ! undo; then
    printf 'restore.sh: NOT all could be put back, and nothing more is touched\nhint: what was there is database %s and %s; put it back by hand, then docker compose up\n' \
      "$kept" "${folders[*]/%/.$stamp}" >&2
    exit 1
  fi
  rm -rf -- "$beside" "$live_dump/restore"
  sql --dbname postgres --command "drop database if exists \"$database\"" 2>/dev/null
  [ $phase = swapped ] || printf 'restore.sh: nothing was restored, %s is as it was before\n' "$NAME" >&2
  exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say "fetching snapshot $snapshot"
restic restore "$snapshot" --host "$NAME" --quiet --target "$beside"
# The dump is wherever the folder for dumps was when the snapshot was made.
mapfile -t dumps < <(find "$beside" -path '*/data/toc.dat' -not -path "$beside/log/*" -not -path "$beside/mrsattachments/*")
[ ${#dumps[@]} = 1 ] || die "snapshot $snapshot holds ${#dumps[@]} database dumps, not one"
for folder in "${folders[@]}"; do
  [ -d "$beside/$folder" ] || die "snapshot $snapshot holds no $folder"
done

say "restoring the database beside the live one"
mv -- "$(dirname "${dumps[0]}")" "$live_dump/restore"
chown -R --reference "$live_dump" "$live_dump/restore"
sql --dbname postgres --command "create database \"$database\" owner \"$DB_USER\" template template0"
postgres pg_restore --username "$DB_USER" --dbname "$database" --jobs 2 --exit-on-error /dump/restore
sql --dbname "$database" --command analyze

say "swapping"
phase=swap
compose stop django
rename "$DB_NAME" "$kept" "$database" "$DB_NAME"
for folder in "${folders[@]}"; do
  mv -- "$folder" "$folder.$stamp"
  mv -- "$beside/$folder" "$folder"
done
compose up --detach --wait
phase=swapped

say "kept as it was: database $kept, folders *.$stamp; remove them once all is well"
say "$NAME is restored from snapshot $snapshot"
