#!/usr/bin/env bash
# Says in JSON how an instance stands. Changes nothing.
#
#   state.sh PROJECT FOLDER URL REPOSITORY PAGE
#
# URL is where it answers, PAGE what it is asked for. REPOSITORY is where its backups are if
# the deployment wrote nothing about it; empty: FOLDER/restic.
#
# All parts run at the same moment, each against the clock: one that does not answer in time is null,
# whatever it hangs on, and keeps nobody waiting.
# shellcheck disable=SC2312 # so what fails is said by nothing, which is null
set -uo pipefail
exec 2>/dev/null # what is hung must not hold the connection
export LC_ALL=C TZ=UTC
project=$1 folder=$2 url=$3 repository=$4 page=$5
limit=6 # seconds

# string: standard input as a JSON string.
string() { printf '"%s"' "$(tr -d '\000-\037\177' | sed 's/[\\"]/\\&/g')"; }
yes() { "$@" && echo true || echo false; }
array() { printf '[%s]' "$(paste -sd, -)"; }

ids() {
  timeout "$limit" docker ps --no-trunc --quiet --filter "label=com.docker.compose.project=$project" \
    --filter label=com.docker.compose.oneoff=False "$@"
}

containers() {
  local all form
  all=$(ids --all) || return
  [ -n "$all" ] || { echo '[]'; return; }
  # Of the environment, which holds secrets, only the commit and what kind of database is used. A container that
  # went meanwhile is left out.
  # shellcheck disable=SC2016 # the variables are the engine's
  form='{{$c := ""}}{{$e := ""}}{{range .Config.Env}}{{$name := index (split . "=") 0}}
{{if eq $name "GIT_COMMIT"}}{{$c = slice . 11}}{{else if eq $name "DB_ENGINE"}}{{$e = slice . 10}}{{end}}{{end}}
{"service": {{json (index .Config.Labels "com.docker.compose.service")}}, "image": {{json .Config.Image}}
, "state": {{json .State.Status}}, "exit_code": {{.State.ExitCode}}, "restarts": {{.RestartCount}}
, "commit": {{json $c}}, "engine": {{json $e}}
, "health": {{with .State.Health}}{{json .Status}}{{else}}""{{end}}, "started": {{json .State.StartedAt}}}'
  # shellcheck disable=SC2086 # an id is a word
  timeout "$limit" docker inspect --type container --format "${form//$'\n'/}" $all | array
}

# services: those that the stack has, whether they have a container or not.
services() {
  [ -e "$folder/docker-compose.yml" ] || return
  timeout "$limit" docker compose --project-name "$project" --env-file /dev/null --file "$folder/docker-compose.yml" \
    config --services | sed 's/.*/"&"/' | array
}

# role ROLES: the services that have one of these roles in the newest release; | is between them.
role() {
  local newest
  newest=$(find "$folder/releases" -mindepth 1 -maxdepth 1 -regex '.*/[0-9]+' -printf '%f\n' | sort -n | tail -n 1)
  awk -v role="$1" '$6 ~ "^(" role ")$" { printf "\"%s\"\n", $1 }' "$folder/releases/$newest/images" | array
}

# http: what this very machine answers under the instance's name, whatever the DNS says.
http() {
  local said status seconds verify sends
  [[ $url =~ ^https?://[A-Za-z0-9][A-Za-z0-9.:-]*$ ]] || return
  said=$(curl --silent --show-error --insecure --noproxy '*' --max-time 5 --connect-to ::127.0.0.1: --output /dev/null \
    --write-out '\n%{http_code} %{time_total} %{ssl_verify_result} %{redirect_url}\n' "$url$page" 2>&1)
  read -r status seconds verify sends < <(grep -E '^[0-9]{3} [0-9.]+ [0-9]+ ' <<<"$said")
  printf '{"status": %d, "seconds": %s, "sends_to": %s' "$((10#${status:-0}))" "${seconds:-0}" "$(string <<<"$sends")"
  printf ', "certificate_trusted": %s, "error": %s, "certificate_expires": %s}' "$(yes [ "${verify:-0}" = 0 ])" \
    "$(sed -n 's/^curl: ([0-9]*) //p' <<<"$said" | string)" "$(expires)"
}

# expires: when the certificate does, in Unix seconds; 0 where there is none.
expires() {
  local authority=${url#https://} date
  [ "$authority" != "$url" ] || { echo 0; return; }
  [[ $authority == *:* ]] || authority+=:443
  date=$(timeout 5 openssl s_client -connect "127.0.0.1:${authority##*:}" -servername "${authority%:*}" </dev/null |
    openssl x509 -noout -enddate) && date --date "${date#*=}" +%s || echo 0
}

backup() {
  local said
  [ -e "$folder/.restic_password" ] || { echo '{"set_up": false}'; return; }
  RESTIC_PASSWORD_FILE=$folder/.restic_password
  RESTIC_REPOSITORY=${repository:-$folder/restic}
  # shellcheck source=/dev/null
  [ ! -e "$folder/.backup.env" ] || . "$folder/.backup.env"
  export RESTIC_REPOSITORY RESTIC_PASSWORD_FILE
  printf '{"set_up": true, "since": %s, ' "$(stat --format %Y "$folder/.restic_id" || echo 0)"
  if said=$(timeout "$limit" restic snapshots --json --latest 1 --no-lock --host "$project" 2>&1); then
    printf '"snapshots": %s}' "$said"
  else
    printf '"error": %s}' "$(tail -n 1 <<<"${said:-restic takes longer than $limit s}" |
      sed 's#://\([^:/@]*\):[^@/]*@#://\1:…@#' | string)"
  fi
}

# known: who gets in with a password that everybody knows.
known() {
  local server said MRS_HOST='' DB_SERVICE='' DB_NAME='' DB_USER=''
  # shellcheck source=/dev/null
  [ ! -e "$folder/.backup.env" ] || . "$folder/.backup.env"
  [ -x "$MRS_HOST" ] || return
  server=$(ids --filter label=com.docker.compose.service="${DB_SERVICE:-postgres}")
  said=$(timeout "$limit" "$MRS_HOST" known -server="$server" -database="$DB_NAME" -role="$DB_USER") || return
  sed '/./!d; s/.*/"&"/' <<<"$said" | array
}

# epoch DATE: in Unix seconds; 0 where there is none.
epoch() { [ -n "$1" ] && date --date "$1" +%s || echo 0; }

timers() {
  local line id next last
  while IFS= read -r line; do
    case $line in
      Id=*) id=${line#*=} ;;
      NextElapseUSecRealtime=*) next=${line#*=} ;;
      LastTriggerUSec=*) last=${line#*=} ;;
      '')
        id=${id%.timer}
        # Those of an instance whose name begins like ours are not ours.
        [[ ${id#"$project-"} =~ ^[a-z]+$ ]] && printf '{"name": "%s", "next": %s, "last": %s, "result": %s}\n' \
          "${id#"$project-"}" "$(epoch "$next")" "$(epoch "$last")" \
          "$(timeout "$limit" systemctl show --property Result --value -- "$id.service" | string)"
        id='' next='' last=''
        ;;
    esac
  done < <(timeout "$limit" systemctl show --property Id,NextElapseUSecRealtime,LastTriggerUSec -- "$project-*.timer" &&
    echo) | array
}

disks() {
  local path used free size
  for path in /home /var/lib/docker /mnt/backup; do
    [ -d "$path" ] || continue
    read -r used free size < <(timeout "$limit" df --block-size 1 --output=pcent,avail,size "$path" | tail -n 1) &&
      printf '{"path": "%s", "used_percent": %d, "free_bytes": %d, "size_bytes": %d}\n' \
        "$path" "${used%\%}" "$free" "$size"
  done | array
}

# lock: who holds it. It is tried only where somebody has written down to hold it, so that nobody who
# takes it at this moment finds it taken by us.
lock() {
  cd /run/lock/mrs-ops && [ -s "$project.lock" ] && ! flock --nonblock "$project.lock" true && cat "$project.lock"
}

# take FD: what a part printed, null if that is nothing by now.
take() {
  local said left=$((limit + 1 - SECONDS))
  if IFS= read -r -d '' -t "$((left > 0 ? left : 0)).1" said <&"$1" || [ $? -le 128 ]; then
    printf '%s' "${said:-null}"
  else
    printf null
  fi
}

# The slowest first.
exec {backup}< <(backup) {services}< <(services) {containers}< <(containers) {http}< <(http) {timers}< <(timers) \
  {disks}< <(disks) {lock}< <(lock) {known}< <(known)
removeat=$(head -c 20 "$folder/removeat")
[[ $removeat =~ ^[1-9][0-9]*$ ]] || removeat=0
printf '{"deployed": %s, "maintenance": %s, "remove_at": %s' \
  "$(yes [ -e "$folder/docker-compose.yml" ])" "$(yes [ -e "$folder/.maintenance" ])" "$removeat"
# shellcheck disable=SC2154 # exec makes them
printf ', "containers": %s, "services": %s, "http": %s, "backup": %s, "timers": %s, "disks": %s, "lock": %s' \
  "$(take "$containers")" "$(take "$services")" "$(take "$http")" "$(take "$backup")" "$(take "$timers")" \
  "$(take "$disks")" "$(take "$lock")"
# shellcheck disable=SC2154
printf ', "known_passwords": %s, "site": %s, "one_shots": %s}\n' "$(take "$known")" "$(role site)" \
  "$(role 'one-shot|idle')"
