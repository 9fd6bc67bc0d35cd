#!/usr/bin/env bash
# Removes the account $username: its rule for sudo ($sudoers), its sessions, its jobs, itself. With
# userhome=remove its home too; with userhome=keep the home gets the date behind its name and becomes
# root's, for the next account may have the same name, or number. Prints what it does; nothing where
# there is no such account.
set -euo pipefail
: "${username:?}" "${sudoers:?}" "${userhome:?}"

die() {
  printf '%s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

uid=$(id -u "$username" 2>/dev/null) || {
  [ ! -e "$sudoers" ] || { rm "$sudoers" && echo "removed $sudoers"; }
  exit 0
}
if [ "$uid" -lt 1000 ] || [ "$uid" -ge 60000 ]; then
  die "$username is an account of the system" "it is not for this role to remove"
fi
[ "$username" != "${SUDO_USER:-}" ] ||
  die "$username is who you are on this host" "log in as somebody else: bigsudo … other@host"
folder=$(getent passwd "$username" | cut -d: -f6)

# In this order: no new rights, no new session, no old session, nothing that comes back by itself.
rm -f "$sudoers"
usermod --lock --expiredate 1 "$username"
loginctl disable-linger "$username" 2>/dev/null || true
# What it runs by sudo is in its slice.
systemctl kill --signal=KILL "user-$uid.slice" 2>/dev/null || true
crontab -r -u "$username" 2>/dev/null || true

# One that is about to start another may escape a single look, and those that end take a moment.
for _ in {1..25}; do
  processes=$(find /proc -maxdepth 1 -name '[0-9]*' -user "$uid" -printf '%f ' 2>/dev/null || true)
  read -r -a running <<<"$processes"
  [ "${#running[@]}" != 0 ] || break
  kill -KILL "${running[@]}" 2>/dev/null || true
  sleep 0.2
done
[ "${#running[@]}" = 0 ] ||
  die "$username is locked, but its processes ${running[*]} do not end" "see what holds them, then do this again"

if [ "$userhome" = remove ]; then
  userdel --remove "$username" 2>/dev/null
  echo "removed $username and $folder"
else
  userdel "$username"
  kept=$folder.$(date -u +%Y%m%dT%H%M%SZ)
  case $folder in
    /home/?*)
      if [ -d "$folder" ] && [ ! -L "$folder" ]; then
        mv -- "$folder" "$kept"
        chown root:root -- "$kept"
        chmod 0700 -- "$kept"
        echo "kept $kept"
      fi
      ;;
  esac
  echo "removed $username"
fi
