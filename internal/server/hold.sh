#!/usr/bin/env bash
# Holds an instance until its standard input ends or it is told to end itself.
#
#   hold.sh PROJECT TOKEN WHO WHAT
#
# The lock is the kernel's: it is free once this process is gone, however it went. Exit status: 75,
# with the holder in JSON as the only line, where somebody else has it.
#
# When it ends, it ends the deployment that runs under its lock too, which then undoes what it has
# begun. One that was left alone goes on to its own end: it has a lock of its own (PROJECT.work).
set -euo pipefail
project=$1 token=$2 who=$3 what=$4
umask 077
cd /run/lock && mkdir -p mrs-ops && cd mrs-ops
exec 9>>"$project.lock"
if ! flock --nonblock 9; then
  cat "$project.lock"
  exit 75
fi
python3 - "$token" "$who" "$what" $$ >"$project.lock" <<'PYTHON'
import json, sys, time
print(json.dumps(dict(zip(("token", "who", "what", "pid"), sys.argv[1:]), since=int(time.time()))))
PYTHON

# worker: the process that works under the lock, if there is one.
worker() {
  # One that waits for another's end is ours; one that works is, unless it is that other. A process
  # that has the number of one that was killed has not its lock.
  cat "$project.waits" 2>/dev/null && return
  local pid
  pid=$(cat "$project.pid" 2>/dev/null) && [ -n "$(find "/proc/$pid/fd" -lname "$PWD/$project.work" 2>/dev/null)" ] && echo "$pid"
}

finish() {
  local pid
  trap '' TERM HUP INT PIPE
  if pid=$(worker); then
    kill -TERM "$pid" 2>/dev/null || true
    # It undoes what it has begun; its last words are worth waiting for.
    for ((n = 0; n < 600; n++)); do
      worker >/dev/null || break
      sleep 0.2
    done
  fi
  : >"$project.lock"
}
rm -f "$project.waits"
trap finish EXIT
trap 'exit 143' TERM HUP INT PIPE
echo held
while IFS= read -r _; do :; done
