#!/usr/bin/env bash
# Says in JSON how this host stands, before anything is changed on it: what deploying lacks
# ("problems"), and what is there already. Reads home or project and networks (a word each) from
# the environment. Changes nothing.
set -euo pipefail

# JSON strings, one line each, of the lines on standard input. What is printed here is names and
# our own sentences; a quote or a backslash in them is dropped rather than escaped.
array() { tr -d '"\\\t' | awk 'NF { printf "%s\"%s\"", sep, $0; sep = "," }'; }

home=${home:-} project=${project:-} networks=${networks:-}

problems=()
folder=${home:-$HOME/.yourlabs.compose/$project}

version=$(docker version --format '{{.Server.Version}}' 2>/dev/null) ||
  problems+=("the Docker engine does not answer; hint: mage host:docker, or systemctl start docker")
compose=$(docker compose version --short 2>/dev/null) ||
  problems+=("there is no Compose plugin; hint: install docker-compose-plugin")
case ${compose#v} in
  1.*) problems+=("Compose is $compose, not 2 or newer; hint: install docker-compose-plugin") ;;
esac

# The nearest folder that exists tells the file system that home will be on.
on=$folder
while [ ! -d "$on" ]; do on=$(dirname "$on"); done
free=$(df --output=avail -k "$on" | tail -n 1)
[ "$free" -ge 262144 ] || problems+=("$on has $((free / 1024)) MiB free, less than 256; hint: docker system df, df -h $on")

missing=()
running=""
if [ -n "$version" ]; then
  for network in $networks; do
    docker network inspect "$network" >/dev/null 2>&1 || missing+=("$network")
  done
  running=$(docker ps --quiet --filter "label=com.docker.compose.project=$(basename "$folder")" \
    --filter "label=com.docker.compose.service=postgres")
fi

printf '{"folder": "%s", "engine": "%s", "compose": "%s", "systemd": %s, "runs": %s, "problems": [%s], "missing_networks": [%s]}\n' \
  "$folder" "$version" "${compose:-}" \
  "$([ -d /run/systemd/system ] && echo true || echo false)" \
  "$([ -n "$running" ] && echo true || echo false)" \
  "$(printf '%s\n' "${problems[@]-}" | array)" \
  "$(printf '%s\n' "${missing[@]-}" | array)"
