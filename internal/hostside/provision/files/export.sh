#!/usr/bin/env bash
# Copies a snapshot of the instance whose home this is out of its repository, still encrypted: mrs-host makes a restic
# repository of its own, which holds that snapshot alone and opens with the same password, and prints it as a tar.
#   export.sh latest|ID >FILE     nothing of it stays here, however this ends
#   export.sh --lines latest|ID   before it come lines: what is said, "snapshot ID", "about BYTES", "tar BYTES FILES"
# By hand, as backup.sh has its settings: export RESTIC_FROM_REPOSITORY=$RESTIC_REPOSITORY RESTIC_REPOSITORY=DIR
#   RESTIC_FROM_PASSWORD_FILE=$RESTIC_PASSWORD_FILE; restic init --copy-chunker-params; restic copy ID; tar -c -C DIR .
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" export "$@"
