#!/usr/bin/env bash
# Applies the retention policy to the backups of the instance whose home this is, checks what remains, and lets the
# mirror follow: mrs-host does. By hand it is systemd that runs it, and what it says is shown. Without mrs-host:
#   set -a; . ./.backup.env; export RESTIC_PASSWORD_FILE=$PWD/.restic_password RESTIC_CACHE_DIR=/var/cache/mrs-ops
#   restic check
#   restic forget --path "$PWD/docker-compose.yml" --group-by '' --keep-last "$KEEP_LAST" --keep-daily "$KEEP_DAILY" \
#     --keep-weekly "$KEEP_WEEKLY" --keep-monthly "$KEEP_MONTHLY" --keep-yearly "$KEEP_YEARLY" --prune
#   restic snapshots; restic check
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" prune "$@"
