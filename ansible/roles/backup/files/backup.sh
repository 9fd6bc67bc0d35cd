#!/usr/bin/env bash
# Backs up the instance whose home this script is in: a dump of the database, then one restic
# snapshot of docker-compose.yml, log, mrsattachments and the dump, then the mirror.
#
#   backup.sh [timer|deploy|hand]   what causes it, kept as a tag; hand if not said
#   backup.sh init                  makes the repository if there is none
#
# Exit status: 0 all is well; 3 the snapshot is good but its mirror failed; others: no snapshot.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

cause=${1:-hand}
case $cause in
  timer | deploy | hand) ;;
  init)
    if [ -f "$RESTIC_REPOSITORY/config" ] || restic cat config >/dev/null 2>&1; then
      exit 0
    fi
    umask 077
    restic init
    exit
    ;;
  *) die "unknown cause: $cause" "timer, deploy or hand" ;;
esac

only_one
wait_for_postgres

umask 077
say "dumping the database"
trap 'rm -rf -- "$DUMP"/data "$DUMP"/globals.sql' EXIT
rm -rf -- "$DUMP"/data "$DUMP"/globals.sql
# Uncompressed: restic compresses, and finds what did not change since the last snapshot.
postgres pg_dump --username "$DB_USER" --dbname "$DB_NAME" --format directory --jobs 2 --compress 0 --file /dump/data
postgres pg_dumpall --username "$DB_USER" --globals-only --file /dump/globals.sql

commit=$(compose exec -T django printenv GIT_COMMIT 2>/dev/null || true)
say "making a snapshot"
restic backup --quiet --host "$NAME" --tag "$NAME" --tag "commit-${commit:-unknown}" --tag "$cause" \
  docker-compose.yml log mrsattachments "$DUMP"
restic snapshots --compact --host "$NAME" --latest 1

if ! mirror keep; then
  printf 'backup.sh: the snapshot is good, but mirroring it failed\nhint: check LFTP_DSN, then run %s/backup.sh\n' "$PWD" >&2
  exit 3
fi
say "$NAME is backed up"
