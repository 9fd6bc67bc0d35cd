#!/usr/bin/env bash
# Makes standard input the host's firewall, with $ports and sshd's own for PORTS; tested before it is
# loaded. The host takes it down after a minute unless mrs-firewall-undo.timer is stopped before: who
# is locked out can't stop it. Prints a line if something changed.
set -euo pipefail
: "${ports:?}"
umask 022
rules=/etc/nftables.d/mrs-firewall.nft
unit=/etc/systemd/system/mrs-firewall.service

nft=$(command -v nft || echo /usr/sbin/nft)
sshd=$(command -v sshd || echo /usr/sbin/sshd)
mkdir -p /run/sshd /etc/nftables.d
open=$({ tr ' ' '\n' <<<"$ports"; "$sshd" -T 2>/dev/null | awk '$1 == "port" { print $2 }'; } | sort -nu | paste -sd ,)
new=$(sed "s/PORTS/${open//,/, }/")
service=$(
  cat <<UNIT
# Written by Ansible, role traefik.
[Unit]
Description=Firewall: $open
DefaultDependencies=no
Before=network-pre.target shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$nft -f $rules
ExecReload=$nft -f $rules
ExecStop=$nft delete table inet mrs_firewall

[Install]
WantedBy=multi-user.target
UNIT
)

# firewalld closes ports too, but not to what Docker publishes; its own table is its business.
if systemctl --quiet is-active firewalld.service; then
  for port in ${open//,/ }; do
    if ! firewall-cmd --quiet --permanent --query-port "$port/tcp"; then
      firewall-cmd --quiet --permanent --add-port "$port/tcp"
      firewall-cmd --quiet --add-port "$port/tcp"
      echo "firewalld: port $port is open"
    fi
  done
fi

old_rules=$(cat "$rules" 2>/dev/null || true)
old_service=$(cat "$unit" 2>/dev/null || true)
if [ "$new" = "$old_rules" ] && [ "$service" = "$old_service" ] &&
  "$nft" list table inet mrs_firewall >/dev/null 2>&1 && systemctl --quiet is-enabled mrs-firewall.service; then
  exit 0
fi
"$nft" --check --file - <<<"$new"
printf '%s\n' "$new" >"$rules"
printf '%s\n' "$service" >"$unit"
systemctl daemon-reload
systemctl stop mrs-firewall-undo.timer mrs-firewall-undo.service 2>/dev/null || true
systemd-run --quiet --unit mrs-firewall-undo --on-active 60 --timer-property AccuracySec=1s \
  systemctl disable --now --quiet mrs-firewall.service
systemctl enable --quiet mrs-firewall.service
systemctl reload-or-restart mrs-firewall.service
echo "the firewall leaves open: $open"
