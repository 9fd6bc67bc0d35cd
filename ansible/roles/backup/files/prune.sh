#!/usr/bin/env bash
# Applies the retention policy to the backups of the instance whose home this script is in, checks
# what remains, and lets the mirror follow.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh
: "${KEEP_LAST:?}" "${KEEP_DAILY:?}" "${KEEP_WEEKLY:?}" "${KEEP_MONTHLY:?}" "${KEEP_YEARLY:?}"

only_one
open_repository
restic forget --quiet --host "$NAME" --group-by host --prune \
  --keep-last "$KEEP_LAST" --keep-daily "$KEEP_DAILY" --keep-weekly "$KEEP_WEEKLY" \
  --keep-monthly "$KEEP_MONTHLY" --keep-yearly "$KEEP_YEARLY"
restic check --quiet
# Only a repository that has passed its check may delete anything from the mirror.
mirror delete || die "the mirror failed" "check LFTP_DSN, then run $PWD/prune.sh"
say "the backups of $NAME are pruned and checked"
