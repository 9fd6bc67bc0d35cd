#!/usr/bin/env bash
# Says in JSON how this host stands for Traefik ($image). Changes nothing.
set -euo pipefail
: "${image:?}"

# The image, and the sum of who may see the dashboard: empty where there is none.
here=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
users=""
users_file=/etc/traefik/htpasswd
[ ! -d "$users_file" ] || users_file+=/root # the old system's
[ ! -s "$users_file" ] || users=$(sha256sum <"$users_file" | cut -d' ' -f1)
old=false
! grep --quiet --no-messages defaultRuleSyntax /etc/traefik/traefik.yml || old=true
case $(uname -m) in
  x86_64) processor=amd64 ;;
  aarch64) processor=arm64 ;;
  *) processor=$(uname -m) ;;
esac

# A package is missing where its program is.
missing=""
[ -x /usr/sbin/nft ] || missing+=', "nftables"'
[ -x /usr/sbin/logrotate ] || missing+=', "logrotate"'

# Somebody else on the ports would let the container fail with less to say.
problems=""
running=$(docker ps --quiet --filter name='^traefik$')
if [ -z "$running" ]; then
  for port in 80 443; do
    who=$(ss --no-header --listening --tcp --processes "sport = :$port" |
      sed -nE 's/.*users:\(\("([^"]*)".*/\1/p' | sort -u | paste -sd ' ')
    [ -z "$who" ] || problems+=", \"port $port is taken by $who; hint: stop it, or move it behind Traefik\""
  done
fi

printf '{"image": "%s", "users": "%s", "users_file": "%s", "old": %s, ' "$here" "$users" "$users_file" "$old"
printf '"missing": [%s], "processor": "%s", "problems": [%s]}\n' "${missing#, }" "$processor" "${problems#, }"
