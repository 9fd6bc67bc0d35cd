#!/usr/bin/env bash
# Adds the public keys on standard input to the authorized keys of who runs this, if they are not
# there. Prints what it adds. It runs as the account itself, so that no link in its home can lead root
# astray.
set -euo pipefail
umask 077
folder=$(getent passwd "$(id -u)" | cut -d: -f6)/.ssh
file=$folder/authorized_keys

mkdir -p "$folder"
touch "$file"
# Otherwise sshd does not trust them.
chmod go-w "$folder" "$file"
# A last line without an end would swallow the first key.
[ ! -s "$file" ] || [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"

added() { awk -v key="$1 $2" 'index($0 " ", key " ") { found = 1 } END { exit !found }' "$file"; }

while read -r type text comment || [ -n "$type" ]; do
  [ -n "$type" ] || continue
  ! added "$type" "$text" || continue
  ssh-keygen -l -f /dev/stdin <<<"$type $text $comment" >/dev/null
  printf '%s\n' "$type $text${comment:+ $comment}" >>"$file"
  echo "added $(ssh-keygen -l -f /dev/stdin <<<"$type $text $comment")"
done
! command -v restorecon >/dev/null || restorecon -R "$folder"
