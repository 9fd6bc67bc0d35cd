#!/usr/bin/env bash
# Adds the public keys on standard input to the authorized keys of who runs this, if they are not
# there. Prints what it adds. It runs as the account itself, so that no link in its home can lead root
# astray.
set -euo pipefail
umask 077
account=$(id -u)
folder=$(getent passwd "$account" | cut -d: -f6)/.ssh
file=$folder/authorized_keys

mkdir -p "$folder"
touch "$file"
# Otherwise sshd does not trust them.
chmod go-w "$folder" "$file"
# A last line without an end would swallow the first key.
last=$(tail -c 1 "$file")
[ -z "$last" ] || echo >>"$file"

while read -r type text comment || [ -n "$type" ]; do
  [ -n "$type" ] || continue
  found=$(awk -v key="$type $text" 'index($0 " ", key " ")' "$file")
  [ -z "$found" ] || continue
  fingerprint=$(ssh-keygen -l -f /dev/stdin <<<"$type $text $comment")
  printf '%s\n' "$type $text${comment:+ $comment}" >>"$file"
  echo "added $fingerprint"
done
! command -v restorecon >/dev/null || restorecon -R "$folder"
