#!/usr/bin/env bash
# Backs up the instance whose home this script is in: a dump of the database, then one restic
# snapshot of docker-compose.yml, log, mrsattachments and the dump, then the mirror.
#
#   backup.sh [timer|deploy|hand]   what causes it, kept as a tag; hand if not said. By hand it is
#                                   systemd that runs it, where it does, and what it says is shown
#   backup.sh init <PASSWORD        opens the repository with that password; has it from the mirror if
#                                   it is gone, or makes it if there never was one; keeps the password
#   backup.sh repair                takes from the mirror the files of the repository that are damaged
#
# Exit status: 0 all is well; 75 the snapshot is good but its mirror failed; others: no snapshot.
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

# init: nothing is overwritten before it is known to open the repository.
init() {
  local password id
  IFS= read -r password || [ -n "$password" ]
  cleanup() { rm -f .restic_password.new; }
  printf '%s\n' "$password" >.restic_password.new
  export RESTIC_PASSWORD_FILE=$PWD/.restic_password.new
  # Opened before, with this password, and not touched since.
  if [ -s .restic_id ] && here && [ "$(sed -n 2p .restic_id)" = "$(config_sum 2>/dev/null)" ] && cmp --silent .restic_password.new .restic_password; then
    return
  fi
  if ! id=$(repository_id); then
    if [ -e .restic_id ] || [ -e "$RESTIC_REPOSITORY/config" ]; then
      die "the repository $(shown) can't be opened with RESTIC_PASSWORD; the password that was kept is still there" \
        "is its disk mounted? a new password is first added by: restic key add. restic says: $(restic cat config 2>&1 | head -n 1)"
    fi
    if fetch; then
      id=$(repository_id) || die "the repository that the mirror holds can't be opened with RESTIC_PASSWORD" "it is in $RESTIC_REPOSITORY now"
      say "$NAME had backups, which the mirror held: restore.sh latest restores the last one"
    else
      [ -z "$reason" ] || say "$reason: a new repository is begun"
      restic init
      id=$(repository_id)
    fi
  fi
  if [ ! -e .restic_id ]; then
    remember "$id"
    say "the backups of $NAME are in repository $id"
  elif [ "$(head -n 1 .restic_id)" != "$id" ]; then
    die "$(shown) is not the repository that the backups of $NAME are in" \
      "if it is to be from now on: rm $PWD/.restic_id, then deploy"
  else
    remember "$id"
  fi
  if ! cmp --silent .restic_password.new .restic_password; then
    chmod 0400 .restic_password.new
    mv -f .restic_password.new .restic_password
    say "password kept"
  fi
}

# repair: what is damaged here is good on the mirror, since nothing damaged was ever mirrored; and what
# comes from there is known by its sum.
repair() {
  local file n=0 lost=()
  if [ -z "$LFTP_DSN" ] || ! here; then die "there is no mirror to repair from"; fi
  only_one
  cleanup() { rm -f .repair.new; }
  for file in $(all_damaged "$RESTIC_REPOSITORY"); do
    ftp <<<"get \"$NAME/restic/$file\" -o \"$PWD/.repair.new\"" 2>.mirror.log || say "the mirror does not give $file: $(said .mirror.log)"
    if [ "$(sha256sum .repair.new 2>/dev/null | cut -d' ' -f1)" = "${file##*/}" ]; then
      chmod --reference "$RESTIC_REPOSITORY/$file" .repair.new
      mv -f .repair.new "$RESTIC_REPOSITORY/$file"
      say "repaired: $file"
      n=$((n + 1))
    else
      lost+=("$file")
    fi
    rm -f .repair.new
  done
  [ ${#lost[@]} = 0 ] || die "$n files were repaired, and ${#lost[@]} are not whole on the mirror either, the first is ${lost[0]}" \
    "restic find --pack NAME | grep 'in snapshot' | sort -u tells which snapshots need one; NAME is what its path ends with"
  intact all
  restic check --quiet
  say "$n files were repaired; the repository is whole"
}

cause=${1:-hand}
careful
case $cause in
  deploy) ;;
  timer)
    # Who has handed over has said why.
    handed=$(requested)
    cause=${handed:-timer}
    ;;
  hand) hand_over "$NAME-backup" join hand ;;
  init | repair)
    "$cause"
    exit
    ;;
  *) die "unknown cause: $cause" "timer, deploy or hand" ;;
esac

# A deployment that backs up has the instance already.
[ "$cause" = deploy ] || order shared
only_one
counts
for path in docker-compose.yml log mrsattachments; do
  [ -e "$path" ] || problems+=("$PWD/$path is gone: a snapshot without it would not be one")
done
[ ! -e .restore.swap ] || problems+=("a restore was cut short, and is to be undone first: $PWD/restore.sh recover")
no_problems "restore it, or deploy"
# A disk that is not mounted looks like that.
attachments=$(find mrsattachments -type f -printf . | wc -c)
[ "$attachments" != 0 ] || [ "$(last_known attachments)" = 0 ] || die "mrsattachments is empty, and had $(last_known attachments) files at the last backup" \
  "is its disk mounted? if they are meant to be gone: touch $PWD/mrsattachments/.emptied"
facts+=(attachments: "$attachments")
open_repository
wait_for_postgres
dump_folder
dump=$live_dump
no_leftovers "$dump"
# As much as the last time, and some more.
enough "$dump" $(($(last_known dump_bytes) * 11 / 10))
no_problems "df -h $dump"

cleanup() {
  [ -z "${PSQL_PID:-}" ] || kill "$PSQL_PID" 2>/dev/null
  rm -rf -- "$dump"/data "$dump"/data.* "$dump"/globals.sql "$dump"/settings.sql "$dump"/tables.tsv .backup.said
}

# The rows are counted in the very snapshot that is dumped.
say "dumping the database"
coproc PSQL { postgres_reads psql "${as_user[@]}" --no-psqlrc --quiet --tuples-only --no-align --field-separator $'\t' --set ON_ERROR_STOP=1 --dbname "$DB_NAME" 2>&1; }
exec {ask}>&"${PSQL[1]}" {answer}<&"${PSQL[0]}"
psql=$PSQL_PID
printf 'begin isolation level repeatable read read only;\nselect pg_export_snapshot();\n' >&"$ask"
IFS= read -r -t 60 -u "$answer" exported || true
[[ ${exported:-} =~ ^[0-9A-F-]+$ ]] || die "PostgreSQL gives no snapshot: ${exported:-it does not answer}"
printf '%s\n' "$counting" >&"$ask"
database_size=$(sql --dbname "$DB_NAME" --command 'select pg_database_size(current_database())')
dumped() { say "dumped $(human "$(size "$dump")"), of a database of $(human "$database_size")"; }
# Uncompressed: restic compresses, and finds what did not change since the last snapshot. It has its
# name once it is whole.
run dumped postgres pg_dump "${as_user[@]}" --dbname "$DB_NAME" --format directory --snapshot "$exported" --jobs "$jobs" --compress 0 --file "/dump/data.$$" ||
  die "the database can't be dumped" "docker compose --file $PWD/docker-compose.yml logs postgres"
# It may end now.
eval "exec $ask>&- ${PSQL[1]}>&-"
postgres pg_dumpall "${as_user[@]}" --globals-only --file /dump/globals.sql
set_for "$DB_NAME" >"$dump/settings.sql"
cat <&"$answer" >"$dump/tables.tsv"
wait "$psql" || die "the rows can't be counted: $(tail -n 1 "$dump/tables.tsv")"
postgres pg_restore --list "/dump/data.$$" >/dev/null || die "what was dumped can't be read"
mv -- "$dump/data.$$" "$dump/data"
facts+=(dump_bytes: "$(size "$dump")" rows: "$(awk -F '\t' '{ n += $2 } END { printf "%.0f\n", n }' "$dump/tables.tsv")")

commit=$(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$(container django)" 2>/dev/null | sed -n 's/^GIT_COMMIT=//p' | head -n 1)
say "making a snapshot: $(human "$(size docker-compose.yml log mrsattachments "$dump")")"
# Whole before it has its name, whatever the power does.
if here; then ls "$RESTIC_REPOSITORY/snapshots"; else restic list snapshots --no-lock; fi >.backup.unchecked.new
sync .backup.unchecked.new
mv -f .backup.unchecked.new .backup.unchecked
sync .
progressed() {
  tail -n 1 .backup.said | python3 -c '
import json, sys
s = json.loads(sys.stdin.read() or "{}")
if s.get("message_type") == "status":
    left = s.get("seconds_remaining")
    print("snapshot: %d %%, %d of %d files, %.1f of %.1f MB%s" % (100 * s["percent_done"], s.get("files_done", 0), s.get("total_files", 0),
        s.get("bytes_done", 0) / 1e6, s.get("total_bytes", 0) / 1e6, ", %d s left" % left if left else ""))'
}
made=0
! here || was=$(size "$RESTIC_REPOSITORY")
run progressed restic backup --json --host "$NAME" --tag "$NAME" --tag "commit-${commit:-unknown}" --tag "$cause" \
  docker-compose.yml log mrsattachments "$dump" >.backup.said 2>.backup.errors || made=$?
if [ $made != 0 ]; then
  # What it could not read may be a person's file: its name stays here.
  why=$(grep --invert-match '"message_type"' .backup.errors | tail -n 1 | cut -c1-200)
  rm -f .backup.errors
  [ $made != 3 ] || why="some files could not be read; is something writing to them?"
  [ $made != 3 ] || ! open_repository || true # forgets the half of one
  die "restic could not make a whole snapshot (exit status $made): $why" "df -h $(shown)"
fi
rm -f .backup.errors
summary=$(grep '"message_type":"summary"' .backup.said | tail -n 1 | python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s["snapshot_id"], s["total_bytes_processed"], s["total_files_processed"], s["data_added"])')
read -r snapshot bytes files added <<<"$summary"
if here; then
  intact
else
  restic check --quiet
fi
rm -f .backup.unchecked
sync .
if here; then
  measure
  # restic tells what is new before it compresses it.
  added=$((total - was))
fi
facts+=(bytes: "$bytes" files: "$files" added: "$added")
say "snapshot ${snapshot:0:8} is good: $(human "$bytes") in $files files, $(human "$added") of it new"

if ! mirror keep; then
  reason="the snapshot is good, but $reason" hint=${hint:-"check LFTP_DSN, then run $PWD/backup.sh"}
  exit 75
fi
say "$NAME is backed up"
