#!/usr/bin/env bash
# Makes the network web, starts Traefik and asks it until it is healthy. Runs in /etc/traefik, which it locks: it goes
# on where its connection is lost. Prints what it changes; where Traefik does not start, its log.
set -euo pipefail

if ! docker network inspect web >/dev/null 2>&1; then
  docker network create web >/dev/null
  echo "network web made"
fi
# Ansible does not sync what it writes, and of the same files no other container would be made.
if ! said=$(sync --file-system . && flock . timeout 600 docker compose --progress plain up --detach \
  --remove-orphans 2>&1) ||
  ! timeout 60 sh -c 'until docker exec traefik traefik healthcheck; do sleep 0.5; done' >/dev/null 2>&1; then
  printf '%s\n' "$said" >&2
  docker logs --tail 30 traefik >&2 2>&1 || true
  echo "Traefik does not start; what it says is above" >&2
  exit 1
fi
grep -E '(Creat|Recreat|Start|Remov)ed' <<<"$said" || true
