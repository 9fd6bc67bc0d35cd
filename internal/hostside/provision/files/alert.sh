#!/usr/bin/env bash
# Tells, in the journal and in Slack, that a unit of the instance whose home this is has failed, and why: mrs-host does.
#   alert.sh UNIT   systemd runs it (OnFailure=)
# By hand: journalctl --unit UNIT; tail /var/log/mrs-ops/NAME.backups.log
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" alert "$@"
