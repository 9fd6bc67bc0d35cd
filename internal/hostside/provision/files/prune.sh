#!/usr/bin/env bash
# Applies the retention policy to the backups of the instance whose home this script is in, checks
# what remains, and lets the mirror follow.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh
: "${KEEP_LAST:?}" "${KEEP_DAILY:?}" "${KEEP_WEEKLY:?}" "${KEEP_MONTHLY:?}" "${KEEP_YEARLY:?}"

cause=${1:-hand}
careful
if [ "$cause" = timer ]; then
  handed=$(requested)
  cause=${handed:-timer}
else
  hand_over "$NAME-prune" join hand
fi
only_one
counts
open_repository
# Nothing is taken away from a repository that is damaged.
intact all
restic check --quiet || die "the repository $(shown) has errors" "restic check tells which"
# Those of the scripts before ours too, which have another host, and the same home.
selection=(--path "$PWD/docker-compose.yml" --group-by "")
say "$(snapshots | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))') snapshots; forgetting those that are not to be kept"
restic forget --quiet --cleanup-cache "${selection[@]}" --prune \
  --keep-last "$KEEP_LAST" --keep-daily "$KEEP_DAILY" --keep-weekly "$KEEP_WEEKLY" \
  --keep-monthly "$KEEP_MONTHLY" --keep-yearly "$KEEP_YEARLY"
say "checking what remains"
reading=()
here || reading=(--read-data-subset "$(($(date +%j | sed 's/^0*//') % 28 + 1))/28") # all of it in four weeks
restic check --quiet "${reading[@]}" || die "the repository $(shown) has errors" "restic check tells which"
intact
! here || measure
# Only a repository that has passed its check may delete anything from the mirror.
mirror delete || { hint=${hint:-"check LFTP_DSN, then run $PWD/prune.sh"}; exit 75; }
say "the backups of $NAME are pruned and checked"
