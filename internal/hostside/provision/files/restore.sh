#!/usr/bin/env bash
# Restores a snapshot of the instance whose home this is, beside what runs: mrs-host does, and tries the site on it.
#   restore.sh [list]                lists the snapshots; list: in JSON; restore.sh explain latest: the plan alone
#   restore.sh [--only PART] latest  or an ID, or --at "2026-11-20 14:00" [--xid NUMBER]; PART: database or attachments
#   restore.sh point NAME            has the log know this moment; restore.sh [--only PART] --point NAME goes back to it
#   restore.sh recover               puts back what a restore that was killed has moved
#   restore.sh discard STAMP         removes what a restore, or an upgrade, has kept
#   restore.sh upgrade IMAGE         has the data be of a newer PostgreSQL; upgrade back [lose]: of the old one again
#   restore.sh adopt DATABASE        swaps in a copy, never in production; restore.sh abandon drops all of them
# By hand, as backup.sh has its settings: restic restore ID --target DIR; mv its dump postgres/dump; in the container
#   createdb -T template0 NEW, pg_restore -d NEW /dump/data; then stop django, mv, alter database … rename to …, start
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" restore "$@"
