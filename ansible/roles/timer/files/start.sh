#!/usr/bin/env bash
# Has systemd run the timers in $timers (a word each), now and after every boot. Prints what it
# changes.
#
#   $changed   not empty: their units were written anew
set -euo pipefail

[ -z "${changed:-}" ] || systemctl daemon-reload
for name in ${timers:-}; do
  if ! systemctl --quiet is-enabled "$name.timer" 2>/dev/null || ! systemctl --quiet is-active "$name.timer"; then
    systemctl --quiet enable --now "$name.timer"
    echo "started $name.timer"
  fi
  # A new calendar counts from now on, not from the next boot on.
  stale=$(systemctl show --property NeedDaemonReload --value "$name.timer")
  if [ -n "${changed:-}" ] || [ "$stale" = yes ]; then
    systemctl daemon-reload
    systemctl restart "$name.timer"
  fi
done
