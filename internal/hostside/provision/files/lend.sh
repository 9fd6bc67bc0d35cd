#!/usr/bin/env bash
# Lends the database of a snapshot of the instance whose home this script is in: restores it beside the
# live one, says how it is called, and drops it when its standard input ends, or when it is ended itself.
# Nothing of what runs is touched, and nothing of the snapshot leaves the server.
#
#   lend.sh latest|ID     the last good snapshot, or that one; the last line is "lent DATABASE"
#   lend.sh --return      once nobody lends: removes what one that was killed has left
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

wanted=${1:-}
application=mrs-lend
database='' live_dump=''
tidy_up() {
  dump_folder
  rm -rf -- "$live_dump/lend" .bring.lend .counted.lend
  at_work_no_more
  drop_all lent
}
exec 7>>.lend.lock
if [ "$wanted" = --return ]; then
  flock 7
  wait_for_postgres
  tidy_up
  exit
fi
careful
[[ $wanted =~ ^(latest|[0-9a-f]{8,64})$ ]] || die "'$wanted' is not a snapshot" "restore.sh without argument lists them"
flock --timeout 10 7 || die "a snapshot of $NAME is lent to somebody already" "see to whom: fuser -v $PWD/.lend.lock"
# Dropping waits for the disk, and a caller that is lost waits for nothing: when we are killed, it is
# for another to tidy up, who waits for our lock until then.
setsid ./lend.sh --return </dev/null >/dev/null 2>&1 7>&- &
cleanup() {
  rm -rf -- ${live_dump:+"$live_dump/lend"} .bring.lend .counted.lend
  [ -z "$database" ] || drop "$database"
}
only_one
counts
open_repository
choose "$wanted"
wait_for_postgres
tidy_up
bytes=$(restic ls --json "$snapshot" | python3 -c '
import json, sys
# The rest of a snapshot is not restored.
nodes = (json.loads(line) for line in sys.stdin)
print(sum(n.get("size", 0) for n in nodes if n.get("type") == "file" and "/mrsattachments/" not in n["path"] and "/log/" not in n["path"]))')
facts+=(bytes: "$bytes")
# Once as it is in the snapshot, once more in a database.
enough "$live_dump" $((bytes * 2))
no_problems "df -h"

say "restoring the database of snapshot ${snapshot:0:8}: $(human "$bytes")"
how_far() { say "fetched $(far "$(size "$live_dump/lend")" "$bytes")"; }
database=${DB_NAME}_lent_$(date -u +%Y%m%dt%H%M%Sz)
bring_beside lend "$database"
rm -rf -- "$live_dump/lend"
analyze "$database"
# The repository is needed no more.
exec 9>&-
say "lent $database"
cat >/dev/null <&0 &
await true $!
