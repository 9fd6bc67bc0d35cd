#!/usr/bin/env bash
# Proves the last backup, or the one that is named, of the instance whose home this script is in:
# restores it into a stack of its own on this host, which nobody reaches and which reaches nobody, has
# the application migrate it and answer, compares what is in it with what the backup counted, and
# removes it all.
#
#   drill.sh [latest|ID]
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

wanted=${1:-latest}
careful
if [ "$wanted" = timer ]; then
  cause=timer wanted=latest
  handed=$(requested)
  [ -z "$handed" ] || cause=hand wanted=$handed
else
  cause=hand
  [[ $wanted =~ ^(latest|[0-9a-f]{8,64})$ ]] || die "'$wanted' is not a snapshot" "restore.sh without argument lists them"
  hand_over "$NAME-drill" refuse "$wanted"
fi
exec 7>>.drill.lock
flock --nonblock 7 || die "a drill of $NAME is at work" "see who: fuser -v $PWD/.drill.lock"
project=$NAME-drill
folder=$PWD/.drill
try=(docker compose --progress plain --project-name "$project" --project-directory "$folder" --env-file /dev/null --file "$folder/compose.json")
remove() {
  gone "$project"
  rm -rf -- "$folder" .bring.drill .counted.drill
}
cleanup() { remove; }
remove
only_one
counts
open_repository
choose "$wanted"
database_server=$(container postgres)
bytes=$(restore_size)
facts+=(bytes: "${bytes:-0}")
# Once as it is in the snapshot, once more in a database.
enough "$PWD" $((${bytes:-0} * 2))
no_problems "df -h"

say "restoring snapshot ${snapshot:0:8} for a drill: $(human "$bytes")"
mkdir -p "$folder/all"
how_far() { say "fetched $(far "$(size "$folder")" "$bytes")"; }
# What restic says of it are names of people's files.
run how_far restic restore "$snapshot" --quiet --target "$folder/all" >"$folder/said" 2>&1 || die "snapshot ${snapshot:0:8} can't be read"
# The repository is needed no more.
exec 9>&-
dump_in "$folder/all"
mv -- "$dump" "$folder/dump"
chmod -R a+rX "$folder/dump" # for the postgres in the container; the folders above are ours alone
for part in log mrsattachments; do
  part_in "$folder/all" $part
  mv -- "$folder/all/$part" "$folder/$part"
done

say "starting a stack of its own"
trial_file drill "$folder" >"$folder/compose.json"
up() { "${try[@]}" up --detach "$@" </dev/null >"$folder/said" 2>&1 7>&- 8>&- 9>&-; }
run true up --wait --wait-timeout "$TIMEOUT" postgres || { tail -n 5 "$folder/said"; die "PostgreSQL does not start"; }
database_server=$(container postgres "$project")
say "restoring the database"
if [ -e "$folder/dump/globals.json" ]; then
  # The empty one that the image has made sorts as the image does.
  sql --dbname postgres --command "drop database \"$DB_NAME\""
  make_database "$DB_NAME" "$folder/dump"
fi
bring "$folder/dump" "$DB_NAME" /dump
differing "$folder/differs"
say "starting the application, which migrates it"
run true up trial || { tail -n 5 "$folder/said"; die "the application can't be started on it"; }
trial=$(container trial "$project")
well "$trial" "$DB_NAME" || die "$reason"
decide migrated "$trial" || die "$reason"
facts+=(rows: "$(awk -F '\t' '{ n += $2 } END { printf "%.0f\n", n }' "$folder/dump/tables.tsv" 2>/dev/null || echo 0)" files: "$(find "$folder/mrsattachments" -type f | wc -l)")
say "snapshot ${snapshot:0:8} of $NAME is proven: it was restored, and the application runs on it"
