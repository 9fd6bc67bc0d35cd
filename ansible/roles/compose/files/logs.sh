#!/usr/bin/env bash
# Prints what helps to understand a failed deployment: the load balancer's lines about the health
# check whose id is in $check, the state of the stack's containers, and their last 200 lines of
# logs. Runs in the stack's folder, with $project.
set -uo pipefail # what can't be read is no reason to keep silent about the rest
exec 2>&1

if [ -n "${check:-}" ]; then
  echo "== the load balancer about health check $check"
  {
    grep --no-filename -- "$check" /var/log/traefik/*.log 2>/dev/null
    docker logs --since 1h traefik 2>/dev/null | grep -- "$check"
  } | grep . || echo "(nothing)"
fi
# By name, not by file: what failed may be that there is none.
echo "== containers"
docker compose --project-name "${project:?}" ps --all
echo "== the last 200 lines of the stack's logs"
docker compose --project-name "$project" logs --no-color --tail 200 | tail -n 200
