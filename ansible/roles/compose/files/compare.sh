#!/usr/bin/env bash
# Prints what deploying docker-compose.next.yml would change, a line each; nothing if what runs is
# that already, and is well. Runs in the stack's folder, with $project.
set -euo pipefail

compose() {
  docker compose --project-name "${project:?}" --env-file /dev/null --file docker-compose.next.yml --progress plain "$@"
}

# --no-start, since a dry run waits for the health of real containers, and a sick one is what a
# deployment may be about to replace.
said=$(compose --dry-run up --no-start --remove-orphans 2>&1) || {
  printf '%s\n' "$said" >&2
  exit 1
}
grep --extended-regexp ' (Create|Recreate|Remove|Creating|Removing)' <<<"$said" || true
well=$(docker ps --filter "label=com.docker.compose.project=$project" \
  --format '{{.Label "com.docker.compose.service"}} {{.Status}}' | grep --invert-match unhealthy || true)
for service in $(compose config --services); do
  grep --quiet "^$service Up" <<<"$well" || echo "$service does not run well"
done
