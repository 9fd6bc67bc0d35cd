#!/usr/bin/env bash
# Says in JSON how this host stands for Traefik ($image). Changes nothing.
set -euo pipefail
: "${image:?}"

# The image, and the sum of who may see the dashboard: empty where there is none.
here=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
users=""
[ ! -s /etc/traefik/htpasswd ] || users=$(sha256sum </etc/traefik/htpasswd | cut -d' ' -f1)
case $(uname -m) in
  x86_64) processor=amd64 ;;
  aarch64) processor=arm64 ;;
  *) processor=$(uname -m) ;;
esac

# A package is missing where its program is.
missing=()
[ -x /usr/sbin/nft ] || missing+=(nftables)
[ -x /usr/sbin/logrotate ] || missing+=(logrotate)

problems=()
# Up to 3.6 Traefik speaks version 1.24 of the engine's API, which Docker 29 no longer knows.
least=$(docker version --format '{{.Server.MinAPIVersion}}')
if [ "$(printf '%s\n' "$least" 1.24 | sort -V | tail -n 1)" != 1.24 ] && [[ $image =~ :v3\.[0-5](\.|$) ]]; then
  why="can't talk to this host's Docker engine, whose API begins at $least"
  problems+=("$image $why; hint: traefik_image=traefik:v3.6")
fi
# Somebody else on the ports would let the container fail with less to say.
for port in 80 443; do
  if [ -z "$(docker ps --quiet --filter name='^traefik$')" ]; then
    who=$(ss --no-header --listening --tcp --processes "sport = :$port" |
      sed -nE 's/.*users:\(\("([^"]*)".*/\1/p' | sort -u | paste -sd ' ')
    [ -z "$who" ] || problems+=("port $port is taken by $who; hint: stop it, or move it behind Traefik")
  fi
done

printf '{"image": "%s", "users": "%s", "missing": [%s], "processor": "%s", "problems": [%s]}\n' "$here" "$users" \
  "$([ "${#missing[@]}" = 0 ] || printf '"%s"\n' "${missing[@]}" | paste -sd ,)" "$processor" \
  "$([ "${#problems[@]}" = 0 ] || printf '"%s"\n' "${problems[@]}" | paste -sd ,)"
