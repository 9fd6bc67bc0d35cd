#!/usr/bin/env bash
# Prints what helps to understand a failed deployment: the load balancer's lines about the health
# check whose id is in $check, the state of the stack's containers, and their last 200 lines of
# logs. Runs in the stack's folder.
set -euo pipefail

if [ -n "${check:-}" ]; then
  echo "== the load balancer about health check $check"
  {
    grep -h -- "$check" /var/log/traefik/*.log 2>/dev/null
    docker logs --since 1h traefik 2>&1 | grep -- "$check"
  } || echo "(nothing)"
fi
echo "== containers"
docker compose ps --all
echo "== the last 200 lines of the stack's logs"
docker compose logs --no-color --tail 200 2>&1 | tail -n 200
