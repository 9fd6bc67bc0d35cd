#!/usr/bin/env bash
# The ephemeral instances of this host: ~root/.yourlabs.compose/PROJECT each, with the time when it is
# to be removed in removeat (cookbook, "Compose").
#
#   branches.sh list                      a line each: PROJECT REMOVEAT HOST COMMIT IMAGE STATE
#   branches.sh expire                    removes those whose time has passed; what a timer runs
#   branches.sh extend PROJECT SECONDS    lets it live that much longer, from now if its time has passed
#   branches.sh remove PROJECT [WHO]      removes it: containers, volumes, images, folder
#
# What can't be removed now, since somebody works on it, is removed the next time.
set -euo pipefail
umask 077
all=$(getent passwd root | cut -d: -f6)/.yourlabs.compose
locks=/run/lock/mrs-ops

die() {
  printf '%s\n' "$1" >&2
  exit "${2:-1}"
}
check() {
  [[ $1 =~ ^[a-z0-9][a-z0-9_-]*$ ]] || die "'$1' is no project"
  [ -d "$all/$1" ] || die "there is no ephemeral instance $1 on this host; there are: $(names | paste -sd ' ')" 3
}
names() { find "$all" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' 2>/dev/null | grep -xE '[a-z0-9][a-z0-9_-]*' | sort; }
containers() { docker ps --all --quiet --filter "label=com.docker.compose.project=$1"; }
# until_when PROJECT: when it is to be removed; 0 if nothing says it.
until_when() { grep -xE '[0-9]+' "$all/$1/removeat" 2>/dev/null || echo 0; }
audit() { # PROJECT WHO WHAT
  local log=/var/log/mrs-ops/$1.log
  mkdir -p "${log%/*}"
  # After a line that the power cut short.
  [ ! -e "$log" ] || [ -z "$(tail -c 1 "$log" | tr '\0' -)" ] || echo >>"$log"
  python3 -c 'import json, sys, time
print(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "who": sys.argv[1], "what": sys.argv[2], "outcome": "ok", "seconds": 0}))' \
    "$2" "$3" >>"$log"
  sync -- "$log" "${log%/*}"
}
# locked PROJECT COMMAND…: runs it while nobody else works on the instance; 75 if somebody does.
locked() (
  project=$1
  shift
  mkdir -p "$locks"
  exec 8>>"$locks/$project.lock" 9>>"$locks/$project.work"
  flock --nonblock 8 && flock --nonblock 9 || exit 75
  : >"$locks/$project.lock" # nobody's name
  "$@" 8>&- 9>&-
)

remove() {
  local project=$1 images image
  images=$(containers "$project" | xargs --no-run-if-empty docker inspect --format '{{.Image}}' | sort -u)
  docker compose --project-name "$project" down --volumes --remove-orphans --timeout 5 >/dev/null </dev/null || return 1
  rm -rf -- "${all:?}/${project:?}"
  for image in $images; do
    # Not one that another instance is made of, or may go back to.
    [ -n "$(docker ps --all --quiet --filter "ancestor=$image")" ] ||
      grep --quiet --no-messages --fixed-strings "$image" /home/*/releases/*/images "$all"/*/releases/*/images ||
      docker rmi --force "$image" >/dev/null 2>&1 || true
  done
}

case ${1:-} in
  list)
    for project in $(names); do
      id=$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.service=django | head -n 1)
      state=gone host=- commit=- image=-
      if [ -n "$id" ]; then
        state=$(docker inspect --format '{{with .State.Health}}{{.Status}}{{else}}{{$.State.Status}}{{end}}' "$id")
        image=$(docker inspect --format '{{.Config.Image}}' "$id")
        variables=$(docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$id")
        host=$(sed -n 's/^HOST=//p' <<<"$variables") commit=$(sed -n 's/^GIT_COMMIT=//p' <<<"$variables")
      fi
      printf '%s %s %s %s %s %s\n' "$project" "$(until_when "$project")" "${host:--}" "${commit:--}" "$image" "$state"
    done
    ;;
  expire)
    now=$(date +%s) status=0
    for project in $(names); do
      at=$(until_when "$project")
      [ "$at" != 0 ] || { echo "$project stays: no time is set for it"; continue; }
      [ "$at" -le "$now" ] || { echo "$project stays for $(((at - now) / 3600)) h"; continue; }
      if locked "$project" remove "$project"; then
        echo "$project is removed: its time has passed $(((now - at) / 60)) min ago"
        audit "$project" "the timer of $(hostname)" "removed: its time had passed"
      else
        case $? in
          75) echo "$project is being worked on: later" ;;
          *) echo "$project could not be removed" >&2; status=1 ;;
        esac
      fi
    done
    exit "$status"
    ;;
  extend)
    check "$2"
    [[ $3 =~ ^[0-9]{1,9}$ ]] || die "'$3' is no number of seconds"
    at=$(until_when "$2") now=$(date +%s)
    [ "$at" -ge "$now" ] || at=$now
    # Without a time, as a power cut could leave it, it would live for ever.
    echo $((at + $3)) >"$all/$2/.removeat"
    sync -- "$all/$2/.removeat"
    mv "$all/$2/.removeat" "$all/$2/removeat"
    sync -- "$all/$2"
    cat "$all/$2/removeat"
    ;;
  remove)
    check "$2"
    locked "$2" remove "$2" || die "$2 can't be removed$([ $? != 75 ] || echo ": somebody works on it")" 75
    audit "$2" "${3:-root}" "removed"
    ;;
  *) die "usage: branches.sh list | expire | extend PROJECT SECONDS | remove PROJECT [WHO]" ;;
esac
