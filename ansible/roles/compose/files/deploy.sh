#!/usr/bin/env bash
# Deploys a stack on this host: what runs goes on until what is to run is known to work, and is put
# back if it does not.
#
# It reads from the environment
#   project folder     the compose project, and the stack's folder, which exists
#   source             stdin: docker-compose.yml is on standard input; release:N: the one that ran
#                      then, with the images that it had; release:current: the one that runs
#   pull               never: the images are on the host already
#   networks           external networks to make, a word each
#   program            mrs-host, which decides what is good
#   url names page     where the site has to answer, its other names, and what it is asked for
#   timeout            within how many seconds
#   drain              seconds that requests which are being served may take when their container is replaced
#   jobs               not empty: nothing starts near a minute in which the application's own jobs run
#   database role      what is backed up, and its superuser
#   basicauth          not empty: being asked for a password is an answer
#   maxconn            the host's net.core.somaxconn; empty: left as it is
#   persistent         not empty: what runs is backed up before it is changed; empty: it gets test data
#   lifetime           seconds that an ephemeral instance lives from now on; empty: for ever
#   who what           for the audit log
#   token              of the lock that the caller holds; empty: it is taken here
#
# The last line on standard output says in JSON what came of it; before it, lines for people. When it
# fails, the last line on standard error is the reason.
#
# It ends well, or undoes what it has begun, on SIGTERM and a lost caller too. What SIGKILL or a power cut leave behind,
# the next run tidies up; until then the site answers.
set -euo pipefail
umask 077
: "${project:?}" "${folder:?}" "${source:?}" "${program:?}" "${url:?}" "${page:?}" "${timeout:?}" "${drain:?}" "${database:?}" "${role:?}"
pull=${pull:-always} names=${names:-} networks=${networks:-} basicauth=${basicauth:-} jobs=${jobs:-} maxconn=${maxconn:-} persistent=${persistent:-} lifetime=${lifetime:-}
who=${who:-$(logname 2>/dev/null || echo root)@$(hostname)} what=${what:-deploy} token=${token:-}

keep=10          # releases
service=django   # what is replaced without a gap
began=$SECONDS
log=/var/log/mrs-ops/$project.log
phase=nothing    # what undoing has to undo: nothing, others, rolling, recreating; or: committed
reason='' hint=''
result=''
child=''
mine=no          # whether the locks are ours
olds=()          # the containers of the service that were there before
declare -A was=() # image name -> the image that had it before

# --- words

progress=/run/lock/mrs-ops/$project.progress
say() {
  printf '%s\n' "$*"
  # Whoever holds the lock shows it at once; Ansible shows standard output at the end.
  [ -z "$token" ] || printf '%s\n' "$*" >>"$progress"
}
# die REASON [HINT]
die() {
  reason=$1 hint=${2:-}
  exit 1
}
# json NAME VALUE …: an object. A value is text, unless its name ends in ":", as that of true or 1.
json() {
  python3 - "$@" <<'PYTHON'
import json, sys
pairs = zip(sys.argv[1::2], sys.argv[2::2])
print(json.dumps({n.rstrip(":"): json.loads(v) if n.endswith(":") else v for n, v in pairs if v}))
PYTHON
}

# place FILE NAME: gives the file the name. Whatever the power does, what has it is whole: the one or the other.
place() { sync -- "$1" && mv -- "$1" "$2" && sync -- "$(dirname -- "$2")"; }

# --- locks

# take_locks: the instance is ours, by the caller's lock or one of our own; and no other run that was
# left alone by its caller is still at work.
take_locks() {
  mkdir -p /run/lock/mrs-ops
  cd /run/lock/mrs-ops
  exec 8>>"$project.lock" 9>>"$project.work"
  if [ -n "$token" ]; then
    if flock --nonblock 8 || ! grep --quiet --fixed-strings "\"$token\"" "$project.lock"; then
      flock --unlock 8
      die "whoever began this is gone"
    fi
    exec 8>&-
  elif flock --nonblock 8; then
    printf '{"token": "-", "who": %s, "what": %s, "pid": "%s", "since": %s}\n' \
      "$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$who")" \
      "$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1]))' "$what")" $$ "$(date +%s)" >"$project.lock"
  else
    die "$project is locked by somebody else: $(cat "$project.lock")"
  fi
  # Whoever ends our caller's lock ends us, also while we wait.
  [ -z "$token" ] || echo $$ >"$project.waits"
  flock --nonblock 9 || {
    say "$project is being backed up or restored, or an earlier deployment undone: waiting for the end of that"
    flock --timeout 7200 9 || die "a backup, a restore or an earlier deployment does not end; see: fuser -v $PWD/$project.work"
  }
  if [ -n "$token" ]; then
    rm -f "$project.waits"
    grep --quiet --fixed-strings "\"$token\"" "$project.lock" || die "whoever began this is gone"
  fi
  mine=yes
  echo $$ >"$project.pid"
  cd "$folder"
}

# --- Compose and Docker

# run PROGRAM …: so that a signal is heeded at once, and ends the program too.
run() {
  "$@" 8>&- 9>&- </dev/null &
  child=$!
  local status=0
  wait "$child" || status=$?
  child=''
  return "$status"
}
# compose FILE …: COMPOSE_… variables and a .env in the folder are not ours, so all is named in full.
as_compose=(docker compose --progress plain --project-name "$project" --project-directory "$folder" --env-file /dev/null --file)
compose() { "${as_compose[@]}" "$@" 8>&- 9>&- </dev/null; }
run_compose() { run "${as_compose[@]}" "$@"; }
ours() { docker ps --all --no-trunc --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False "$@"; }
containers() { ours --quiet "$@"; }
of_service() { containers --filter "label=com.docker.compose.service=$1" | tac; } # the oldest first
image_id() { docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true; }
inspect() { docker inspect --format "$1" "$2" 2>/dev/null || true; }

# model FILE: what the rest needs of a compose file, a line a service: NAME IMAGE ROLLS LABELS, where
# ROLLS is "yes" or why the service can't run twice, and LABELS the sum of what the load balancer reads.
model() {
  compose "$1" config --no-interpolate --format json | python3 -c '
import hashlib, json, sys
for name, s in sorted(json.load(sys.stdin)["services"].items()):
    labels = s.get("labels") or {}
    if isinstance(labels, list):
        labels = dict(l.partition("=")[::2] for l in labels)
    routes = sorted((k, str(v).replace("$$", "$")) for k, v in labels.items() if k.startswith("traefik."))
    why = "yes"
    if dict(routes).get("traefik.enable") != "true":
        why = "no load balancer is before it"
    elif s.get("ports"):
        why = "it publishes a port"
    elif s.get("container_name"):
        why = "its container has a fixed name"
    print(name, s.get("image", "-"), why.replace(" ", "_"), hashlib.sha256(repr(routes).encode()).hexdigest()[:12])
'
}
# routes CONTAINER: the same sum of a container.
routes() {
  inspect '{{json .Config.Labels}}' "$1" | python3 -c '
import hashlib, json, sys
routes = sorted((k, v) for k, v in json.load(sys.stdin).items() if k.startswith("traefik."))
print(hashlib.sha256(repr(routes).encode()).hexdigest()[:12])
'
}
commit_of() { docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" 2>/dev/null | sed -n 's/^GIT_COMMIT=//p' | head -n 1; }

# --- releases: what ran, the newest last

releases() { find releases -mindepth 1 -maxdepth 1 -regex '.*/[0-9]+' -printf '%f\n' 2>/dev/null | sort -n; }
newest() { releases | tail -n 1; }

# record: what runs now becomes a release.
record() {
  local n id image
  n=$(($(newest || true) + 1))
  rm -rf releases/.new
  mkdir -p releases/.new
  cp docker-compose.yml releases/.new/docker-compose.yml
  while read -r name image _; do
    id=$(of_service "$name" | tail -n 1)
    [ -n "$id" ] || continue
    # Service, name, id and digest of the image, sum of the configuration. An image that came from no
    # registry has no digest: its id has to do.
    printf '%s %s %s %s %s\n' "$name" "$image" "$(inspect '{{.Image}}' "$id")" \
      "$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$(inspect '{{.Image}}' "$id")" 2>/dev/null |
        grep --fixed-strings --max-count 1 "$(sed -E 's/(@.*|:[^:/]*)$//' <<<"$image")@" || echo -)" \
      "$(inspect '{{index .Config.Labels "com.docker.compose.config-hash"}}' "$id")"
  done <"$plan" >releases/.new/images
  json release: "$n" time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" who "$who" what "$what" commit "$commit" >releases/.new/release.json
  sync -- releases/.new/* .
  place releases/.new "releases/$n"
  releases | head -n -"$keep" | while read -r old; do rm -rf "releases/${old:?}"; done
  release=$n
}

# pinned N: the compose file of a release, with the images that it had then: a name that means another
# image by now becomes the digest of the one that it meant, or its id where no registry has it.
pinned() {
  local name image id digest pins=''
  [ -n "$1" ] || die "nothing has run well here yet: deploy first"
  [ -e "releases/$1/images" ] || die "there is no release $1; there are: $(releases | paste -sd ' ')"
  while read -r name image id digest _; do
    [ "$(image_id "$image")" != "$id" ] || continue
    if [ -n "$(image_id "$id")" ]; then
      [ "$digest" != - ] && [ "$(image_id "$digest")" = "$id" ] || digest=$id
    elif [ "$digest" = - ]; then
      die "the image that $name had in release $1 is gone, and no registry has it"
    fi
    pins+="  $name: {image: \"$digest\"}"$'\n'
  done <"releases/$1/images"
  if [ -n "$pins" ]; then
    printf 'services:\n%s' "$pins" >.deploy.pins.yml
    overlay "releases/$1/docker-compose.yml" .deploy.pins.yml
  else
    cat "releases/$1/docker-compose.yml"
  fi
}

# overlay FILE OVER: prints the one with the other merged over it.
overlay() { compose "$1" --file "$2" config --no-interpolate --no-path-resolution --no-normalize; }

# write_next: docker-compose.next.yml is what is to run.
write_next() {
  local wanted=''
  case $source in
    stdin) cat >docker-compose.next.yml ;;
    release:current) pinned "$(newest)" >docker-compose.next.yml; wanted=as-marked ;;
    release:*) pinned "${source#release:}" >docker-compose.next.yml; wanted=as-marked ;;
    *) die "source=$source is not known" ;;
  esac
  # Who closed the site opens it again, not the next deployment.
  if [ -e .maintenance ] || [ "$wanted" = as-marked ]; then
    printf 'services: {%s: {environment: {MAINTENANCE_ENABLE: "%s"}}}\n' "$service" "$([ ! -e .maintenance ] || echo 1)" >.deploy.maintenance.yml
    overlay docker-compose.next.yml .deploy.maintenance.yml >.deploy.next.yml
    mv .deploy.next.yml docker-compose.next.yml
  fi
  [ ! -e .maintenance ] || say "maintenance is on: the site stays closed"
}

# --- what will change

# compare: prints the services that what is to run has otherwise, and why, a line each; and those that
# are to go.
compare() {
  local name image id hash
  while read -r name image _; do
    hash=$(compose docker-compose.next.yml config --hash "$name" | cut -d' ' -f2)
    mapfile -t ids < <(of_service "$name")
    if [ ${#ids[@]} = 0 ]; then
      echo "$name is new"
      continue
    fi
    id=${ids[-1]}
    if [ "$(inspect '{{index .Config.Labels "com.docker.compose.config-hash"}}' "$id")" != "$hash" ]; then
      echo "$name has another configuration"
    elif [ "$(inspect '{{.Image}}' "$id")" != "$(image_id "$image")" ]; then
      echo "$name has another image"
    elif [[ ! $(inspect '{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}' "$id") =~ ^running\ (healthy|starting)?$ ]]; then
      echo "$name does not run well"
    fi
  done <"$plan"
  ours --format '{{.Label "com.docker.compose.service"}}' | sort -u | while read -r name; do
    grep --quiet "^$name " "$plan" || echo "$name is to go"
  done
}

# --- the load balancer and the containers behind it

# inside CONTAINER COMMAND…: in the container's network, by the host's programs.
inside() {
  local pid
  pid=$(inspect '{{.State.Pid}}' "$1")
  [ "${pid:-0}" -gt 0 ] || return 1
  shift
  nsenter --target "$pid" --net "$@"
}
# Connections from outside to the port. A rule without a target only counts.
entries=(INPUT ! -i lo -p tcp --syn --dport)
closed=(-m comment --comment mrs-ops-closed -j REJECT --reject-with tcp-reset)
# close_door: new connections are refused at once, and the load balancer tries its next server, since
# nothing of the request was sent yet (the retry middleware); those that are open go on.
close_door() { inside "$1" iptables -I "${entries[@]}" "$port" "${closed[@]}"; }
open_door() { while inside "$1" iptables -D "${entries[@]}" "$port" "${closed[@]}" 2>/dev/null; do :; done; }
visits() { inside "$1" iptables -nvx -L INPUT | awk '/mrs-ops-visits/ { print $1; exit }'; }
# farewell CONTAINER…: they get no new requests, end what they are serving, and go.
farewell() {
  local id
  [ $# != 0 ] || return 0
  for id in "$@"; do close_door "$id" 2>/dev/null || true; done
  "$program" drain -port="$port" -within="${drain}s" "$@" 8>&- 9>&- </dev/null || true
}

check=$(cat /proc/sys/kernel/random/uuid)
site=(-url="$url" -names="$names" -check="$check")
[ -z "$basicauth" ] || site+=(-basicauth)
# decide COMMAND OPTION…: what mrs-host says, which is the reason where it is no.
decide() {
  run "$program" "$@" 2>.deploy.said || {
    reason=$(tail -n 1 .deploy.said)
    return 1
  }
}
# answers [OPTION…] [CONTAINER]: waits until the site answers as it has to, or the container by itself.
answers() {
  local maintenance=off
  [ ! -e .maintenance ] || maintenance=on
  decide answers "${site[@]}" -port="$port" -path="$page" -maintenance=$maintenance -within="${timeout}s" "$@"
}
# visited: the same as visitors do it, by the load balancer.
visited() {
  ! answers || return 0
  {
    echo "== the load balancer about health check $check"
    { grep --no-filename -- "$check" /var/log/traefik/*.log || docker logs --since 1h traefik 2>&1 | grep -- "$check"; } 2>/dev/null | tail -n 5 || echo "(nothing)"
  } >&2
  return 1
}
# right CONTAINER: its own answers are right, its front page too, and it uses the database that is backed up.
right() {
  local server
  answers "$1" && answers -path=/ -within=10s "$1" || return 1
  server=$(of_service postgres | tail -n 1)
  [ -n "$server" ] || return 0
  decide proves "${site[@]}" -port="$port" -server="$server" -database="$database" -role="$role" "$1"
}
# moment SECONDS: waits until none of the application's jobs runs in the next seconds: two containers would
# both run it.
moment() {
  local server
  server=$(of_service postgres | tail -n 1)
  [ -n "$jobs" ] && [ -n "$server" ] && [ "$(inspect '{{.State.Running}}' "$server")" = true ] || return 0
  decide moment -server="$server" -database="$database" -role="$role" -lead="$1s" "$(the_one)" > >(while IFS= read -r line; do say "$line"; done) || {
    say "$reason"
    reason=''
  }
}
# the_one: the container of the service that started last.
the_one() { of_service "$service" | tail -n 1; }

# last_words CONTAINER: what helps to understand why it does not work.
last_words() {
  local name
  name=$(inspect '{{.Name}}' "$1")
  {
    printf '== %s: %s\n' "${name#/}" "$(inspect '{{.State.Status}}, exit status {{.State.ExitCode}}{{with .State.Health}}, {{.Status}}{{end}}' "$1")"
    inspect '{{with .State.Health}}{{range .Log}}{{.Output}}{{end}}{{end}}' "$1" | tail -n 3
    echo "== the last lines of its log"
    docker logs --tail 50 "$1" 2>&1
  } >&2
}

# well CONTAINER: waits until it is healthy.
well() {
  local deadline=$((SECONDS + timeout)) state
  while true; do
    state=$(inspect '{{.State.Status}} {{.RestartCount}} {{with .State.Health}}{{.Status}}{{end}}' "$1")
    case $state in
      "running 0 healthy" | "running 0 ") return 0 ;;
      running\ 0\ *) ;;
      created*) ;;
      *)
        reason="the new $service crashes at start"
        break
        ;;
    esac
    if [ $SECONDS -ge $deadline ] || [ "$state" = "running 0 unhealthy" ]; then
      reason="the new $service does not become healthy (${state##* } after $((timeout - deadline + SECONDS)) s)"
      break
    fi
    sleep 0.5
  done
  last_words "$1"
  return 1
}

# --- the two ways to replace what runs

# why_not_roll: nothing, or why the old and the new can't serve side by side.
why_not_roll() {
  local why sum program
  read -r _ _ why sum < <(grep "^$service " "$plan")
  [ ${#olds[@]} -gt 0 ] || { echo "it does not run yet"; return; }
  [ "$why" = yes ] || { tr _ ' ' <<<"$why"; return; }
  [ "$(routes "${olds[-1]}")" = "$sum" ] || { echo "the load balancer is told other routes"; return; }
  [ "$(inspect '{{.State.Running}}' "${olds[-1]}")" = true ] || { echo "the old one is down"; return; }
  docker inspect --format '{{json .Config.Healthcheck}}' "$next_image" | grep --quiet Test ||
    compose docker-compose.next.yml config --format json | python3 -c 'import json, sys; sys.exit("healthcheck" not in json.load(sys.stdin)["services"][sys.argv[1]])' "$service" ||
    { echo "it has no health check"; return; }
  for program in nsenter iptables ss; do
    command -v "$program" >/dev/null || { echo "this host has no $program"; return; }
  done
}

# fresh: the containers that were started beside the old ones.
fresh() { of_service "$service" | grep --invert-match --fixed-strings "$(printf '%s\n' "${olds[@]}")" || true; }

# roll: the new one starts beside the old one, and takes over once it is healthy and the load balancer
# knows it.
roll() {
  local id deadline shut=yes
  phase=rolling
  say "starting the new $service beside the old one"
  run_compose docker-compose.next.yml up --detach --no-deps --no-recreate --scale "$service=$((${#olds[@]} + 1))" "$service" >.deploy.log 2>&1 ||
    { cat .deploy.log >&2; die "the new $service can't be started"; }
  id=$(fresh)
  # Healthy is not yet right: until its own answer is, nobody else gets one.
  close_door "$id" 2>/dev/null || shut=no
  well "$id" || die "$reason"
  [ $shut = yes ] || die "the new $service can't be closed by iptables"
  right "$id" || { last_words "$id"; die "the new $service is healthy, but ${reason:-it is not right}"; }
  say "it is healthy; waiting for the load balancer to know it"
  inside "$id" iptables -I "${entries[@]}" "$port" -m comment --comment mrs-ops-visits || die "the connections to the new $service can't be counted by iptables"
  open_door "$id"
  deadline=$((SECONDS + 30))
  until [[ $(visits "$id" || true) =~ ^[1-9] ]]; do
    [ "$(inspect '{{.State.Status}} {{.RestartCount}}' "$id")" = "running 0" ] || { last_words "$id"; die "the new $service was healthy, and then died"; }
    [ $SECONDS -lt $deadline ] || die "the load balancer sends nobody to the new $service"
    for _ in 1 2; do answers -within=0s || reason=''; done
  done
  # What the load balancer was about to send to the old one, when it knew no other, it does not send elsewhere.
  run sleep 1
  for id in "${olds[@]}"; do
    # What is down has no door.
    close_door "$id" || [ "$(inspect '{{.State.Running}}' "$id")" != true ] || die "the old $service can't be closed by iptables"
  done
  say "the new $service has taken over"
  visited || die "$reason"
}

# up FILE [SERVICE…]: the ordinary way: stop, replace, start, wait.
up() {
  local file=$1
  shift
  run_compose "$file" up --detach --remove-orphans --wait --wait-timeout "$timeout" "$@" >.deploy.log 2>&1
}

# live_until TIME: when an ephemeral instance is to be removed. One without a time lives for ever.
live_until() {
  echo "$1" >.deploy.removeat
  place .deploy.removeat removeat
}

# fill: the application's test data, where there is none, and the superuser dev with the password dev.
fill() {
  decide developers -fixtures "${site[@]}" -port="$port" "$(the_one)" || return 1
  say "it has test data, and the superuser dev with the password dev"
}

# --- how it ends

# undo puts back what runs; it reports whether that answers.
undo() {
  local image id new=()
  if [ "$phase" = rolling ]; then
    mapfile -t new < <(fresh)
  fi
  for id in "${olds[@]}"; do open_door "$id"; done
  if [ ${#new[@]} != 0 ]; then
    # It may be serving already.
    farewell "${new[@]}"
    say "the new $service is removed"
  fi
  for image in "${!was[@]}"; do
    [ "$(image_id "$image")" = "${was[$image]}" ] || docker tag "${was[$image]}" "$image"
  done
  [ "$phase" != nothing ] || return 0
  if [ "$first" = yes ]; then
    say "there is no earlier release to go back to: the stack is left as it is"
    return 1
  fi
  if [ "$phase" != rolling ] || [ "$others" = yes ]; then
    say "going back to what ran before"
    up docker-compose.yml || { cat .deploy.log >&2; return 1; }
  fi
  answers_before
}
answers_before() { "$program" answers "${site[@]}" -path="$page" -maintenance=either -within=20s 8>&- 9>&- </dev/null; }

finish() {
  local status=$? outcome=ok
  exec 1>&3 2>&4
  set +e
  trap '' TERM HUP INT PIPE
  [ -z "$child" ] || { kill -TERM "$child" 2>/dev/null; wait "$child" 2>/dev/null; }
  if [ "$phase" = committed ]; then
    farewell "${olds[@]}"
    [ -n "$result" ] || result=$(json changed: true how "$how" release: "$release" commit "$commit")
    status=0
  elif [ "$status" != 0 ]; then
    outcome=failed
    reason=${reason:-"${failed:-it} failed"}
    [ "$reason" != interrupted ] || outcome=interrupted
    if [ "$phase" != nothing ]; then
      if undo; then
        reason="$reason; what ran before answers"
        [ "$outcome" = interrupted ] || outcome="rolled back"
      elif [ "$first" != yes ]; then
        reason="$reason; what ran before is back, but does NOT answer"
      fi
    else
      undo
    fi
  fi
  rm -f .deploy.* .recreating
  [ $mine = no ] || rm -f "/run/lock/mrs-ops/$project.pid"
  # Whoever holds the lock waits for as long as we are said to wait.
  [ "$(cat "/run/lock/mrs-ops/$project.waits" 2>/dev/null)" != $$ ] || rm -f "/run/lock/mrs-ops/$project.waits"
  [ -z "${plan:-}" ] || rm -f "$plan"
  mkdir -p "${log%/*}"
  # After a line that the power cut short.
  [ ! -e "$log" ] || [ -z "$(tail -c 1 "$log" | tr '\0' -)" ] || echo >>"$log"
  json time "$(date -u +%Y-%m-%dT%H:%M:%SZ)" who "$who" what "$what" outcome "$outcome" \
    reason "$([ "$status" = 0 ] && echo "${note:-}" || echo "$reason")" release: "${release:-}" commit "${commit:-}" \
    seconds: $((SECONDS - began)) >>"$log"
  sync -- "$log" "${log%/*}"
  if [ "$status" = 0 ]; then
    printf '%s\n' "$result"
  else
    [ "$outcome" = ok ] || say "$reason"
    printf '%s\n' "$reason" >&2
    [ -z "$hint" ] || printf 'hint: %s\n' "$hint" >&2
  fi
  [ -n "$token" ] || [ $mine = no ] || : >"/run/lock/mrs-ops/$project.lock"
  exit "$status"
}

# tidy: what a run that was killed has left: of several containers of the service, the one that the
# newest release had stays; a door that was closed is opened.
tidy() {
  local ids id hash image best='' n
  mapfile -t ids < <(of_service "$service")
  if [ ${#ids[@]} -lt 2 ]; then
    for id in "${ids[@]}"; do open_door "$id" || true; done
    return
  fi
  n=$(newest)
  read -r _ _ image _ hash < <(grep "^$service " "releases/$n/images" 2>/dev/null || echo)
  for id in "${ids[@]}"; do
    [ "$(inspect '{{.Image}} {{index .Config.Labels "com.docker.compose.config-hash"}}' "$id")" != "${image:-} ${hash:-}" ] || best=$id
  done
  best=${best:-${ids[0]}}
  open_door "$best" || true
  say "tidying up what a deployment that was killed has left"
  for id in "${ids[@]}"; do
    [ "$id" = "$best" ] || farewell "$id"
  done
}

exec 3>&1 4>&2 # a signal may come while the output goes elsewhere
trap finish EXIT
set -E
trap 'failed="line $LINENO: ${BASH_COMMAND%% *}"' ERR
# PIPE: nobody listens any more.
trap 'reason=interrupted; exit 143' TERM INT HUP PIPE
others=no first=no release='' commit='' port=8000
take_locks
plan=$(mktemp)
rm -f .deploy.*
# What decides here from now on, for whoever asks between deployments.
[ "$(cat .program 2>/dev/null)" = "$program" ] || { echo "$program" >.deploy.program; place .deploy.program .program; }

[ -e docker-compose.yml ] || first=yes
write_next
model docker-compose.next.yml >"$plan" || die "docker-compose.next.yml is not one that Compose takes"
port=$(compose docker-compose.next.yml config --no-interpolate | sed -nE 's/.*loadbalancer\.server\.port=?:? *"?([0-9]+).*/\1/p' | head -n 1)
port=${port:-8000}
tidy
if [ -e .restore.swap ] && [ -x restore.sh ]; then
  run ./restore.sh recover || die "a restore was cut short, and can't be undone"
  [ ! -e .restore.swap ] || die "a restore was cut short, and is not undone"
fi

made=''
for network in $networks; do
  docker network inspect "$network" >/dev/null 2>&1 && continue
  docker network create "$network" >/dev/null || die "the network $network can't be made"
  say "made the network $network"
  made=yes
done
while read -r _ image _; do was[$image]=$(image_id "$image"); done <"$plan"
for image in "${!was[@]}"; do [ -n "${was[$image]}" ] || unset "was[$image]"; done
if [ "$pull" != never ] && [ "$source" = stdin ]; then
  say "pulling the images"
  # What the registry can't give may be on the host already.
  run_compose docker-compose.next.yml pull --ignore-pull-failures --quiet >.deploy.log 2>&1 || true
  grep --extended-regexp --ignore-case ' (error|warning) ' .deploy.log | while read -r line; do
    say "not pulled, so that what is on this host is used: $line"
  done || true
fi
while read -r name image _; do
  [ -n "$(image_id "$image")" ] || { [[ $image = *@sha256:* ]] && run docker pull --quiet "$image" >.deploy.log 2>&1; } || {
    grep --ignore-case --extended-regexp 'error|denied|not found' .deploy.log 2>/dev/null >&2 || true
    die "the image of $name, $image, can't be had: no registry gives it, and it is not on this host"
  }
done <"$plan"
next_image=$(awk -v s="$service" '$1 == s { print $2 }' "$plan")
why=$(compose docker-compose.next.yml config --format json | "$program" keeps 2>&1) ||
  die "$(grep --invert-match '^hint: ' <<<"$why" | paste -sd ';'); nothing was changed" "$(sed -n 's/^hint: //p' <<<"$why" | head -n 1)"

compare >.deploy.changes || die "what runs can't be compared with what is to run"
mapfile -t changes <.deploy.changes
mapfile -t olds < <(of_service "$service")
if [ ${#changes[@]} = 0 ]; then
  phase=nothing
  right "$(the_one)" || die "$reason"
  visited || die "$reason"
  commit=$(commit_of "${olds[-1]}")
  cmp --silent docker-compose.next.yml docker-compose.yml || place docker-compose.next.yml docker-compose.yml
  release=$(newest)
  [ -n "$release" ] || record
  how="nothing to change" note="nothing to change"
else
  printf '%s\n' "${changes[@]}" | while read -r line; do say "$line"; done
  if [ "$source" = release:current ]; then
    : # The same release, and no data is touched: whoever closes a site has no time for more.
  elif [ -n "$persistent" ] && [ -x backup.sh ] && [ -n "$(containers --filter label=com.docker.compose.service=postgres --filter health=healthy)" ]; then
    say "backing up what runs"
    backup=0
    run ./backup.sh deploy > >(while IFS= read -r line; do say "  $line"; done) 2>.deploy.log || backup=$?
    case $backup in
      0) ;;
      75) say "the snapshot is good, but its mirror is not: $(grep --invert-match '^hint:' .deploy.log | tail -n 1)" ;;
      *)
        cat .deploy.log >&2
        die "the backup failed, so nothing was changed"
        ;;
    esac
  elif [ -n "$persistent" ] && [ "$first" = no ] && [ -x backup.sh ]; then
    # To refuse would keep a sick database sick.
    say "$project is NOT backed up before it is changed: its postgres is not healthy"
  elif [ -n "$persistent" ] && [ "$first" = no ]; then
    say "$project is NOT backed up before it is changed: RESTIC_PASSWORD is not set"
  fi
  if [ -n "$maxconn" ] && [ "$(sysctl -n net.core.somaxconn)" != "$maxconn" ]; then
    printf 'net.core.somaxconn = %s\n' "$maxconn" >"/etc/sysctl.d/90-mrs-ops-$project.conf"
    chmod 0644 "/etc/sysctl.d/90-mrs-ops-$project.conf"
    sysctl --quiet --load "/etc/sysctl.d/90-mrs-ops-$project.conf"
  fi
  # Also one that never gets well is removed in time.
  [ -z "$lifetime" ] || [ -e removeat ] || live_until $(($(date +%s) + lifetime))
  why=$(why_not_roll)
  [ "$first" = yes ] || ! printf '%s\n' "${changes[@]}" | grep --quiet "^$service " || moment $((60 + drain))
  if [ "$first" = yes ]; then
    phase=recreating
    cp docker-compose.next.yml .deploy.first.yml
    place .deploy.first.yml docker-compose.yml
    say "starting the stack"
    up docker-compose.yml || { cat .deploy.log >&2; for id in $(of_service "$service"); do last_words "$id"; done; die "the stack does not start well"; }
    right "$(the_one)" || die "$reason"
    visited || die "$reason"
    # What images make when they start for the first time they do not sync: of postgres, its pg_hba.conf.
    sync --file-system .
    how=started
  elif [ -n "$why" ] || ! printf '%s\n' "${changes[@]}" | grep --quiet "^$service "; then
    phase=recreating
    if printf '%s\n' "${changes[@]}" | grep --quiet "^$service "; then
      say "$service is stopped and started anew, since $why: the site does not answer meanwhile"
      # The boot after a power cut brings up what docker-compose.yml says.
      [ ${#olds[@]} = 0 ] || { : >.recreating; sync -- .recreating .; }
      farewell "${olds[@]}"
    fi
    up docker-compose.next.yml || { cat .deploy.log >&2; for id in $(of_service "$service"); do last_words "$id"; done; die "the stack does not start well"; }
    right "$(the_one)" || die "$reason"
    visited || die "$reason"
    how="started anew"
  else
    phase=others
    mapfile -t rest < <(awk -v s="$service" '$1 != s { print $1 }' "$plan")
    if printf '%s\n' "${changes[@]}" | grep --quiet --invert-match "^$service "; then
      others=yes
      ! printf '%s\n' "${changes[@]}" | grep --quiet '^postgres ' || say "postgres is stopped and started anew: the site is without its database meanwhile"
      run_compose docker-compose.next.yml up --detach --no-deps --wait --wait-timeout "$timeout" "${rest[@]}" >.deploy.log 2>&1 || { cat .deploy.log >&2; die "${rest[*]} do not start well"; }
    fi
    roll
    how="took over without a gap"
  fi
  # The new one works, and there is no way back: what follows is done whoever wants us to end.
  trap '' TERM INT HUP PIPE
  phase=committed
  [ "$first" = yes ] || place docker-compose.next.yml docker-compose.yml
  commit=$(commit_of "$(the_one)")
  record || say "this release could not be kept: it can't be gone back to"
  if [ "$how" = "took over without a gap" ]; then
    farewell "${olds[@]}"
    # What belongs to no service any more.
    run_compose docker-compose.yml up --detach --no-recreate --remove-orphans >.deploy.log 2>&1 || cat .deploy.log
  fi
  olds=()
fi
if [ -n "$lifetime" ]; then
  until=$(($(date +%s) + lifetime))
  # A life that was extended is not cut short.
  [ "$(cat removeat 2>/dev/null || echo 0)" -ge "$until" ] || live_until "$until"
fi
if [ -z "$persistent" ] && [ ${#changes[@]} != 0 ]; then
  fill || say "it is NOT open to dev with the password dev: $reason"
fi
changed=false
[ ${#changes[@]} = 0 ] && [ -z "$made" ] || changed=true
result=$(json changed: $changed how "$how" release: "$release" commit "$commit")
