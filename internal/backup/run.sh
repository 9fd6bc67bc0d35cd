#!/usr/bin/env bash
# Runs a script of an instance's until it ends, or is to: then it is told so, and undoes what it has
# begun, however long that takes.
#
#   run.sh SCRIPT ARGUMENT…
#
# It is to end when our standard input does. It is in a session of its own, since what ends us, such
# as a lost connection, must not cut short what it undoes.
set -uo pipefail
exec 3<&0
setsid "$@" </dev/null 3<&- &
child=$!
trap 'kill -TERM "$child" 2>/dev/null' TERM INT HUP
{
  while IFS= read -r _; do :; done
  kill -TERM "$child" 2>/dev/null
} <&3 >/dev/null &
reader=$!
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do
  status=0
  wait "$child" || status=$?
done
kill "$reader" 2>/dev/null
exit "$status"
