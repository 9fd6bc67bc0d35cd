#!/usr/bin/env bash
# Backs up the instance whose home this script is in: a dump of the database, then one restic
# snapshot of docker-compose.yml, log, mrsattachments and the dump, then the mirror.
#
#   backup.sh [timer|deploy|hand]   what causes it, kept as a tag; hand if not said
#   backup.sh init <PASSWORD        opens the repository with that password, or makes it if the
#                                   instance never had one; keeps the password
#
# Exit status: 0 all is well; 75 the snapshot is good but its mirror failed; others: no snapshot.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

# init: nothing is overwritten before it is known to open the repository.
init() {
  local password id
  IFS= read -r password || [ -n "$password" ]
  trap 'rm -f .restic_password.new' EXIT
  printf '%s\n' "$password" >.restic_password.new
  export RESTIC_PASSWORD_FILE=$PWD/.restic_password.new
  if ! id=$(repository_id); then
    if [ -e .restic_id ] || [ -e "$RESTIC_REPOSITORY/config" ]; then
      die "the repository $(shown) can't be opened with RESTIC_PASSWORD; the password that was kept is still there" \
        "is its disk mounted? a new password is first added by: restic key add. restic says: $(restic cat config 2>&1 | tail -n 1)"
    fi
    restic init
    id=$(repository_id)
  fi
  if [ ! -e .restic_id ]; then
    printf '%s\n' "$id" >.restic_id
    say "the backups of $NAME are in repository $id"
  elif [ "$(cat .restic_id)" != "$id" ]; then
    die "$(shown) is not the repository that the backups of $NAME are in" \
      "if it is to be from now on: rm $PWD/.restic_id, then deploy"
  fi
  if ! cmp --silent .restic_password.new .restic_password; then
    chmod 0400 .restic_password.new
    mv -f .restic_password.new .restic_password
    say "password kept"
  fi
}

cause=${1:-hand}
case $cause in
  timer | deploy | hand) ;;
  init)
    init
    exit
    ;;
  *) die "unknown cause: $cause" "timer, deploy or hand" ;;
esac

only_one
for path in docker-compose.yml log mrsattachments; do
  [ -e "$path" ] || die "$PWD/$path is gone: a snapshot without it would not be one" "restore it, or deploy"
done
open_repository
wait_for_postgres
dump=$(dump_folder)
no_leftovers "$dump"
trap 'rm -rf -- "$dump"/data "$dump"/data.* "$dump"/globals.sql' EXIT

say "dumping the database"
# Uncompressed: restic compresses, and finds what did not change since the last snapshot. It has its
# name once it is whole.
postgres pg_dump --username "$DB_USER" --dbname "$DB_NAME" --format directory --jobs 2 --compress 0 --file "/dump/data.$$"
postgres pg_dumpall --username "$DB_USER" --globals-only --file /dump/globals.sql
mv -- "$dump/data.$$" "$dump/data"

commit=$(compose exec -T django printenv GIT_COMMIT 2>/dev/null || true)
say "making a snapshot"
restic backup --quiet --host "$NAME" --tag "$NAME" --tag "commit-${commit:-unknown}" --tag "$cause" \
  docker-compose.yml log mrsattachments "$dump" ||
  die "restic could not make a whole snapshot (exit status $?)"

if ! mirror keep; then
  printf 'backup.sh: the snapshot is good, but mirroring it failed\nhint: check LFTP_DSN, then run %s/backup.sh\n' "$PWD" >&2
  exit 75
fi
say "$NAME is backed up"
