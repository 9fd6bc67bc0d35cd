#!/usr/bin/env bash
# Says in JSON how this host stands, before anything is changed on it: what deploying lacks
# ("problems"), and which programs it needs of $programs (a word each) that it has not ("missing").
# Reads home, project and the sum of mrs-host from the environment. Changes nothing.
set -euo pipefail

home=${home:-} project=${project:-} sum=${sum:-} programs=${programs:-}

# JSON strings, one line each, of the lines on standard input. What is printed here is names and
# our own sentences; a quote or a backslash in them is dropped rather than escaped.
array() { tr -d '"\\\t' | awk 'NF { printf "%s\"%s\"", sep, $0; sep = "," }'; }

problems=()
folder=${home:-$HOME/.yourlabs.compose/$project}

[ "$(id -u)" = 0 ] || problems+=("this needs root; hint: --become")
version=$(docker version --format '{{.Server.Version}}' 2>/dev/null) ||
  problems+=("the Docker engine does not answer; hint: systemctl start docker, or dockerd")
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
for program in $programs; do
  command -v "$program" >/dev/null || missing+=("$program")
done
if [ -n "$version" ]; then
  ours="label=com.docker.compose.project=$project"
  # Compose knows a project by its name alone: one of the same name in another folder would be
  # taken over, its containers recreated on this folder's data.
  while read -r elsewhere; do
    [ -z "$elsewhere" ] || [ "$elsewhere" = "$folder" ] ||
      problems+=("project $project runs already, from $elsewhere; hint: another last part of home makes another project")
  done < <(docker ps --all --filter "$ours" --format '{{.Label "com.docker.compose.project.working_dir"}}' | sort -u)
fi

program=/usr/local/lib/mrs-ops/mrs-host-${sum:0:16}
there=false
! printf '%s  %s\n' "$sum" "$program" | sha256sum --check --status 2>/dev/null || [ ! -x "$program" ] || there=true

printf '{"folder": "%s", "machine": "%s", "program": %s, "problems": [%s], "missing": [%s]}\n' "$folder" "$(uname -m)" $there \
  "$(printf '%s\n' "${problems[@]-}" | array)" \
  "$(printf '%s\n' "${missing[@]-}" | array)"
