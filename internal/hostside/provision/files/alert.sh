#!/usr/bin/env bash
# Tells, in the journal and in Slack, that a unit of the instance whose home this script is in has
# failed. systemd runs it (OnFailure=).
#
#   alert.sh UNIT
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh
unit=${1:?}
what=${unit%.service}
what=${what#"$NAME-"}
# One that was killed could not write down anything.
killed=$(systemctl show --property Result --value "$unit")
lock=.backup.lock
[ "$what" != drill ] || lock=.drill.lock
# Another one may be at work.
if [ -e ".running.$what" ] && flock --nonblock "$lock" true; then
  # With a full disk nothing can be written down; it is told all the same.
  record what "$what" outcome failed reason "killed: $killed" || true
  rm -f ".running.$what"
fi
why=$(python3 -c '
import json, sys
what, last, good = sys.argv[1], "", ""
# The unit that restores adopts copies too.
kinds = (what, "copy") if what == "restore" else (what,)
for line in sys.stdin:
    try:
        r = json.loads(line)
    except ValueError:
        continue
    if r.get("what") in kinds:
        what, last = r["what"], r.get("reason", "")
    if r.get("what") == "backup" and r.get("outcome") in ("good", "not mirrored"):
        good = r["time"]
print("the %s failed: %s. The last good backup is of %s" % (what, last or "no reason is known", good or "no time at all"))' "$what" <"$ledger") || why="the $what failed: no reason is known"
tell "$NAME on $(hostname): $why (journalctl --unit $unit; docs/runbook.md)"
