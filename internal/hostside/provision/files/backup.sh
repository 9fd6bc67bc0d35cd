#!/usr/bin/env bash
# Backs up the instance whose home this is: mrs-host dumps the database, makes a snapshot, checks and mirrors it.
#   backup.sh [timer|deploy|hand]   what causes it; by hand it is systemd that runs it, and what it says is shown
#   backup.sh init <PASSWORD        opens the repository, fetches it from the mirror or makes it; keeps the password
#   backup.sh repair                takes the files of the repository that are damaged from the mirror
# Exit status: 0 all is well; 75 the snapshot is good, but not mirrored; others: no snapshot. By hand, without mrs-host:
#   set -a; . ./.backup.env; export RESTIC_PASSWORD_FILE=$PWD/.restic_password RESTIC_CACHE_DIR=/var/cache/mrs-ops
#   docker compose exec -T -u postgres postgres pg_dump -U "$DB_USER" -d "$DB_NAME" -Fd -Z0 -f /dump/data
#   docker compose exec -T -u postgres postgres pg_dumpall -U "$DB_USER" --globals-only -f /dump/globals.sql
#   restic backup --host "$NAME" --tag "$NAME" docker-compose.yml log mrsattachments postgres/dump; restic check
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" backup "$@"
