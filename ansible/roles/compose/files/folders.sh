#!/usr/bin/env bash
# Makes folders as the lines on standard input want them: UID GID MODE PATH. Folders above them that
# are missing become root's. Prints what it changes, nothing where all is as wanted.
set -euo pipefail
umask 022

while read -r uid gid mode path; do
  [ -n "$path" ] || continue
  if [ ! -d "$path" ]; then
    mkdir -p -- "$path"
    echo "made $path"
  fi
  have=$(stat --format '%u %g %a' -- "$path")
  [ "$have" != "$uid $gid $(printf '%o' "0$mode")" ] || continue
  chown -- "$uid:$gid" "$path"
  chmod -- "$mode" "$path"
  echo "$path was $have, is $uid $gid $mode"
done
