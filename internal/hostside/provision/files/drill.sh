#!/usr/bin/env bash
# Proves a snapshot of the instance whose home this is: mrs-host restores it into a stack of its own on this host, which
# nobody reaches and which reaches nobody, has the application migrate it and answer, and removes it all.
#   drill.sh [latest|ID]   by hand it is systemd that runs it, and what it says is shown
# By hand, as backup.sh has its settings: restic restore ID --target DIR; docker run a postgres on its dump, createdb,
#   pg_restore -d "$DB_NAME" /dump/data; compare count(*) with tables.tsv; docker run the application on it
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" drill "$@"
