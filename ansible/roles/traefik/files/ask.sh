#!/usr/bin/env bash
# Asks an image ($image), whatever it is called, whether it is a Traefik 3 and gets on with this host's Docker engine:
# it is run for a moment, on no network, beside what serves. Prints what is wrong; nothing if nothing is.
set -euo pipefail
: "${image:?}"
name=traefik-ask # what a run that was killed has left is in the way, so it goes first

docker rm --force "$name" >/dev/null 2>&1 || true
trap 'docker rm --force "$name" >/dev/null 2>&1 || true' EXIT

said=$(timeout 60 docker run --rm --name "$name" --network none "$image" version 2>&1) || true
version=$(sed -nE 's/^Version:[[:space:]]*v?([0-9][^[:space:]]*).*/\1/p' <<<"$said")
case $version in
  3.*) ;;
  "")
    last=$(tail -n 1 <<<"$said")
    printf '%s\n' "$image is no Traefik: it does not tell its version ($last)" "hint: traefik_image=traefik:v3.6"
    exit
    ;;
  *)
    printf '%s\n' "$image is Traefik $version; this role's configuration is one of Traefik 3" \
      "hint: traefik_image=traefik:v3.6"
    exit
    ;;
esac

# Versions of the engine and of Traefik speak different versions of the engine's API. Whether these two have one in
# common only Traefik knows: where they have none it serves, and answers 404 to everything.
timeout 60 docker run --detach --name "$name" --network none \
  --volume /var/run/docker.sock:/var/run/docker.sock:ro "$image" \
  --entryPoints.web.address=127.0.0.1:80 --providers.docker --providers.docker.exposedByDefault=false \
  --global.checkNewVersion=false --log.level=DEBUG --log.noColor >/dev/null
for _ in {1..100}; do
  said=$(timeout 10 docker logs "$name" 2>&1)
  case $said in *"Provider connection established with docker"*) exit ;; esac
  why=$(grep -m 1 -E 'Failed to (create Docker API client|retrieve information of the docker)' <<<"$said" || true)
  [ -z "$why" ] || break
  sleep 0.2
done
# The reason is behind error=, in quotes where it has blanks.
why=$(sed -E 's/.*error="?//; s/"? [A-Za-z]+=[^ ]*$//; s/"$//' <<<"${why:-it says nothing of it}")
engine=$(docker version --format '{{.Server.Version}}, API {{.Server.MinAPIVersion}} to {{.Server.APIVersion}}')
printf '%s\n' "$image (Traefik $version) can't talk to this host's Docker engine ($engine): $why" \
  "hint: traefik_image=traefik:v3.6"
