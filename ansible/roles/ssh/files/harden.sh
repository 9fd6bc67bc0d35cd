#!/usr/bin/env bash
# Makes standard input sshd's first drop-in, tested before sshd sees it. The host takes it back after
# $patience seconds unless keep.sh runs before. Prints a line if something changed.
set -euo pipefail
shopt -s inherit_errexit
: "${patience:?}"
umask 077
main=/etc/ssh/sshd_config
file=/etc/ssh/sshd_config.d/00-mrs.conf
undo=/var/lib/mrs-ssh-undo

die() {
  printf '%s\nhint: %s\n' "$1" "$2" >&2
  exit 1
}

service=ssh.service
systemctl cat "$service" >/dev/null 2>&1 || service=sshd.service
sshd=$(command -v sshd || echo /usr/sbin/sshd)

# filtered: standard input, without the algorithms that this OpenSSH does not know.
filtered() {
  local keyword value known
  while read -r keyword value; do
    known=''
    case $keyword in
      KexAlgorithms) known=$(ssh -Q kex) ;;
      Ciphers) known=$(ssh -Q cipher) ;;
      MACs) known=$(ssh -Q mac) ;;
    esac
    if [ -n "$known" ]; then
      value=$(tr , '\n' <<<"$value" | grep -Fxe "$known" | paste -sd ,) ||
        die "this host's OpenSSH knows none of the $keyword that are wanted" "update OpenSSH"
    fi
    printf '%s\n' "$keyword${value:+ $value}"
  done
}

new=$(filtered)
include="Include /etc/ssh/sshd_config.d/*.conf"
# Before any other setting: sshd takes the first value it meets.
first=$(grep -Eivm 1 '^[[:space:]]*(#|$)' "$main" || true)
included=no
shopt -s nocasematch
[[ $first =~ ^[[:space:]]*Include[[:space:]]+\"?/etc/ssh/sshd_config\.d/\*\.conf ]] && included=yes
shopt -u nocasematch

# What an interrupted run has left is not proven, so it is not "as wanted".
old=$(cat "$file" 2>/dev/null || true)
if [ ! -e "$undo" ] && [ "$included" = yes ] && [ -f "$file" ] && [ "$new" = "$old" ]; then
  exit 0
fi
[ ! -e "$undo" ] || die "another run waits for its proof" "wait $patience seconds, then do this again"

mkdir "$undo"
cp --preserve "$main" "$undo/sshd_config"
[ ! -f "$file" ] || cp --preserve "$file" "$undo/drop-in"
cat >"$undo/undo.sh" <<UNDO
# Takes back what harden.sh did, once.
set -eu
cp --preserve "$undo/sshd_config" "$main"
if [ -f "$undo/drop-in" ]; then cp --preserve "$undo/drop-in" "$file"; else rm -f "$file"; fi
rm -r "$undo"
UNDO
back() { bash "$undo/undo.sh"; }
trap back EXIT

mkdir -p /etc/ssh/sshd_config.d
chmod 0755 /etc/ssh/sshd_config.d
printf '%s\n' "$new" >"$file"
if [ "$included" = no ]; then
  { echo "$include"; cat "$undo/sshd_config"; } >"$main"
fi
mkdir -p /run/sshd
"$sshd" -t || die "sshd refuses the new configuration, so the old one stays" "see ssh_settings"
# A setting that another file, or a Match, wins over is not one.
effective=$("$sshd" -T -C user=root,host=localhost,addr=127.0.0.1)
for want in "permitrootlogin no" "passwordauthentication no" "kbdinteractiveauthentication no" \
  "pubkeyauthentication yes"; do
  grep -Fxq "$want" <<<"$effective" ||
    die "sshd would not have «$want», so the old configuration stays" \
      "what overrides it is in $main or /etc/ssh/sshd_config.d"
done

# The dead man's switch: it must hold before sshd changes, also over a reboot.
cat >/etc/systemd/system/mrs-ssh-undo.service <<UNIT
[Unit]
Description=Take back a configuration of sshd that nobody could log in with
ConditionPathExists=$undo

[Service]
Type=oneshot
ExecStart=/bin/bash $undo/undo.sh
ExecStartPost=-/bin/systemctl reload-or-restart $service
ExecStartPost=-/bin/systemctl disable mrs-ssh-undo.timer
UNIT
cat >/etc/systemd/system/mrs-ssh-undo.timer <<UNIT
[Timer]
OnActiveSec=$patience
AccuracySec=1s

[Install]
WantedBy=timers.target
UNIT
systemctl daemon-reload
systemctl enable --now --quiet mrs-ssh-undo.timer
trap - EXIT
# From here on it is the timer that takes back.
systemctl reload-or-restart "$service"
echo "sshd has a new configuration, for $patience seconds unless it proves itself"
