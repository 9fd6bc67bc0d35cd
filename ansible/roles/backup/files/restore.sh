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
# if the swap fails, it is undone.
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
wait_for_postgres
umask 077
stamp=$(date -u +%Y%m%dT%H%M%SZ)
beside=$PWD/.restore-$stamp
database=${DB_NAME}_restore_${stamp,,}
kept=${DB_NAME}_${stamp,,}

clean() {
  local status=$?
  rm -rf -- "$beside" "$DUMP/restore"
  sql --dbname postgres --command "drop database if exists \"$database\"" 2>/dev/null || true
  [ $status = 0 ] || printf 'restore.sh: nothing was restored, %s runs as before\n' "$NAME" >&2
}
trap clean EXIT

say "fetching snapshot $snapshot"
restic restore "$snapshot" --host "$NAME" --quiet --target "$beside"
dump=$beside$DUMP
[ -d "$dump/data" ] || dump=$beside/postgres/dump
[ -d "$dump/data" ] || die "snapshot $snapshot holds no database dump"

say "restoring the database beside the live one"
rm -rf -- "$DUMP/restore"
mv -- "$dump/data" "$DUMP/restore"
chown -R --reference "$DUMP" "$DUMP/restore"
sql --dbname postgres --command "create database \"$database\" owner \"$DB_USER\" template template0"
postgres pg_restore --username "$DB_USER" --dbname "$database" --jobs 2 --exit-on-error /dump/restore
sql --dbname "$database" --command "analyze"

say "swapping"
# swap_folder FOLDER: FOLDER -> FOLDER.STAMP, the restored one in its place.
swapped=()
swap_folder() {
  [ -d "$beside/$1" ] || return 0
  mv -- "$1" "$1.$stamp"
  mv -- "$beside/$1" "$1"
  swapped+=("$1")
}
rename_databases() { # FROM TO FROM TO: in one transaction, with nobody connected
  sql --dbname postgres --command "
    select pg_terminate_backend(pid) from pg_stat_activity where datname in ('$1', '$3') and pid <> pg_backend_pid();
    begin; alter database \"$1\" rename to \"$2\"; alter database \"$3\" rename to \"$4\"; commit" >/dev/null
}
undo() {
  local folder
  say "undoing"
  compose stop django || true
  sql --dbname postgres --tuples-only --command "select 1 from pg_database where datname = '$kept'" | grep -q 1 &&
    rename_databases "$DB_NAME" "$database" "$kept" "$DB_NAME"
  for folder in "${swapped[@]}"; do
    mv -- "$folder" "$beside/$folder" && mv -- "$folder.$stamp" "$folder"
  done
  compose up --detach --wait || true
  clean
}
trap undo EXIT
compose stop django
rename_databases "$DB_NAME" "$kept" "$database" "$DB_NAME"
swap_folder log
swap_folder mrsattachments
compose up --detach --wait
trap - EXIT
rm -rf -- "$beside" "$DUMP/restore"

say "kept as it was: database $kept, folders *.$stamp"
say "$NAME is restored from snapshot $snapshot"
