#!/usr/bin/env bash
# Lends the database of a snapshot of the instance whose home this is: mrs-host restores it beside the live one, says
# how it is called, and drops it when its standard input ends, or when it is ended itself.
#   lend.sh latest|ID   the last line is "lent DATABASE"
#   lend.sh --return    once nobody lends: removes what one that was killed has left
# By hand, as backup.sh has its settings: restic restore ID --target DIR; mv its dump postgres/dump; in the container
#   createdb -T template0 MRS_lent, pg_restore -d MRS_lent /dump/data; dropdb MRS_lent
set -euo pipefail
self=$(readlink -f "$0")
cd "${self%/*}"
# shellcheck source=/dev/null
. ./.backup.env
exec "$MRS_HOST" lend "$@"
