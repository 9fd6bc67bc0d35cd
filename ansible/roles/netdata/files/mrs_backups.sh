#!/usr/bin/env bash
# netdata's mrs_backups.plugin: charts what /var/lib/mrs-ops/NAME.prom says of each instance NAME, and NAME.wal.prom.
#
#   mrs_backups.plugin [SECONDS]   how often; netdata says it
#
# What a file no longer says, or not in full, stays as it was until the file is gone: a backup gets
# older also while nobody can read about it.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C

folder=/var/lib/mrs-ops
every=${1:-10}
[[ $every =~ ^[1-9][0-9]{0,3}$ ]] || every=10

declare -A said=()    # "NAME METRIC": its last value, in thousandths, as netdata takes only integers
declare -A charted=() # "NAME CONTEXT": the line that made the chart

metrics='mrs_backup_(last_good_timestamp_seconds|good|mirrored|duration_seconds|(added_|repository_)?bytes)'
metrics+='|mrs_drill_(last_good_timestamp_seconds|good|duration_seconds)'
metrics+='|mrs_log_received_timestamp_seconds|mrs_log_elsewhere_timestamp_seconds'

# learn NAME FILE: the limits are for files that are not what they should be; a last line without an
# end is half a number.
learn() {
  local line lines=0 pattern="^($metrics)\\{instance=\"$1\"\\} ([0-9]{1,15})(\\.([0-9]+))?\$"
  [ -f "$2" ] && [ -r "$2" ] || return 0
  while ((lines++ < 100)) && IFS= read -r -n 200 line; do
    [[ $line =~ $pattern ]] || continue
    local whole=${BASH_REMATCH[5]} thousandths=${BASH_REMATCH[7]}000
    said["$1 ${BASH_REMATCH[1]}"]=$((10#$whole * 1000 + 10#${thousandths:0:3}))
  done 2>/dev/null <"$2" || true # gone since
}

# chart NAME CONTEXT PRIORITY UNIT TITLE DIMENSION=METRIC…: makes the chart when there is something
# to show for the first time.
chart() {
  local name=$1 context=$2 id=$2_$1 values='' dimension value
  local made="CHART $id '' '$5' '$4' '$name' $context line $3 $every"
  shift 5
  for dimension; do
    value=${said["$name ${dimension#*=}"]-}
    [ -n "$value" ] || continue
    [[ $dimension != age=* ]] || value=$((now * 1000 - value))
    values+="SET ${dimension%%=*} = $value"$'\n'
  done
  [ -n "$values" ] || return 0
  if [ -z "${charted["$name $context"]-}" ]; then
    charted["$name $context"]=$made
    printf '%s\n' "$made"
    printf "DIMENSION %s '' absolute 1 1000\n" "${@%%=*}"
  fi
  printf 'BEGIN %s\n%sEND\n' "$id" "$values"
}

while :; do
  printf '\n' # nothing to netdata; the end for us, if it is gone
  printf -v now '%(%s)T' -1
  declare -A here=()
  for file in "$folder"/*.prom; do
    name=${file##*/} name=${name%.prom}
    [[ $name =~ ^[a-z0-9][a-z0-9_-]{0,99}$ ]] || continue
    here[$name]=yes
    learn "$name" "$file"
    learn "$name" "$folder/$name.wal.prom"
    chart "$name" mrs_backup.age 90001 seconds 'Age of the last good backup' age=mrs_backup_last_good_timestamp_seconds
    chart "$name" mrs_backup.good 90002 boolean 'The last backup: 1 good, 0 failed' good=mrs_backup_good
    chart "$name" mrs_backup.mirrored 90003 boolean 'The last good backup: 1 mirrored, 0 not' \
      mirrored=mrs_backup_mirrored
    chart "$name" mrs_backup.duration 90004 seconds 'What the backup took' duration=mrs_backup_duration_seconds
    chart "$name" mrs_backup.size 90005 bytes 'Size of the backup' \
      snapshot=mrs_backup_bytes added=mrs_backup_added_bytes repository=mrs_backup_repository_bytes
    chart "$name" mrs_drill.age 90011 seconds 'Age of the last good drill' age=mrs_drill_last_good_timestamp_seconds
    chart "$name" mrs_drill.good 90012 boolean 'The last drill: 1 good, 0 failed' good=mrs_drill_good
    chart "$name" mrs_log.age 90021 seconds 'What is lost with the data: age of the last second received' \
      age=mrs_log_received_timestamp_seconds
    chart "$name" mrs_log.elsewhere_age 90022 seconds 'What is lost with the server: age of the last second off it' \
      age=mrs_log_elsewhere_timestamp_seconds
    chart "$name" mrs_drill.duration 90013 seconds 'What the drill took' duration=mrs_drill_duration_seconds
  done

  # An instance without a file has no alarms either.
  for key in "${!charted[@]}"; do
    [ -z "${here[${key% *}]-}" ] || continue
    printf '%s obsolete\n' "${charted[$key]}"
    unset "charted[$key]"
  done
  for key in "${!said[@]}"; do
    [ -n "${here[${key% *}]-}" ] || unset "said[$key]"
  done
  sleep "$((every - now % every))"
done
