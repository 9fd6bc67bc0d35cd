#!/usr/bin/env bash
# Copies a snapshot of the instance whose home this script is in out of its repository, still
# encrypted: into a restic repository of its own, which holds that snapshot alone and opens with the
# same password. It is printed as a tar; nothing of it stays here, however this ends.
#
#   export.sh latest|ID >FILE     the last good snapshot, or that one
#   export.sh --lines latest|ID   before the tar come lines: what is said meanwhile, "snapshot ID" once
#                                 it is chosen, "about BYTES" once that is known; the last one is "tar
#                                 BYTES FILES"
# shellcheck disable=SC2317 # functions are called by name
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
# shellcheck source-path=SCRIPTDIR
. ./backup-common.sh

careful
talk=no
if [ "${1:-}" = --lines ]; then
  talk=yes
  shift
fi
wanted=${1:-}
[[ $wanted =~ ^(latest|[0-9a-f]{8,64})$ ]] || die "'$wanted' is not a snapshot" "restore.sh without argument lists them"
[ ! -t 1 ] || die "a tar is nothing for a terminal" "$PWD/${0##*/} $wanted >FILE"
# What a program says must not get into the tar.
exec 3>&1 1>&2
if [ $talk = yes ]; then
  say() {
    doing=$*
    printf '%s\n' "$*" >&3
  }
fi
announce() { [ $talk = no ] || printf '%s\n' "$*" >&3; }
[[ $(restic copy --help 2>&1) == *--from-repo* ]] || die "the restic of $(hostname) can't do it" "it has to be 0.14 or later: restic version"

folder=$PWD/.export
exec 7>>.export.lock
flock --timeout 10 7 || die "another export of $NAME is at work" "see who: fuser -v $PWD/.export.lock"
# When we are killed it is for another to tidy up, who waits for our lock until then.
setsid bash -c 'exec 7>>.export.lock; flock 7 && rm -rf .export' </dev/null >/dev/null 2>&1 3>&- 7>&- &
cleanup() { rm -rf -- "$folder"; }
cleanup
mkdir "$folder"
only_one
open_repository
choose "$wanted"
announce "snapshot $snapshot"
bytes=$(restic stats --json --mode raw-data "$snapshot" 2>"$folder/said" | sed -nE 's/.*"total_size": *([0-9]+).*/\1/p') ||
  die "snapshot ${snapshot:0:8} can't be read: $(head -n 1 "$folder/said")"
announce "about ${bytes:-0}"
# What is around the data is little.
enough "$PWD" $((${bytes:-0} * 21 / 20))
no_problems "df -h $PWD"

say "copying snapshot ${snapshot:0:8} into a repository of its own: about $(human "$bytes")"
own=$folder/repository
# Not on the command line: an address may hold a password. A cache of what is removed is removed with it.
export RESTIC_FROM_REPOSITORY=$RESTIC_REPOSITORY RESTIC_FROM_PASSWORD_FILE=$RESTIC_PASSWORD_FILE
export RESTIC_REPOSITORY=$own RESTIC_CACHE_DIR=$folder/cache
restic init --quiet --copy-chunker-params 2>"$folder/said" || die "no repository can be made: $(head -n 1 "$folder/said")"
how_far() { say "copied $(far "$(size "$own")" "${bytes:-0}")"; }
run how_far restic copy --quiet "$snapshot" 2>"$folder/said" || die "snapshot ${snapshot:0:8} can't be copied: $(head -n 1 "$folder/said")"
# The instance's repository is needed no more.
exec 9>&-
say "checking the copy"
found=$(all_damaged "$own")
[ -z "$found" ] || die "the copy is damaged: $(wc -l <<<"$found") of its files are not what was written, the first is $(head -n 1 <<<"$found")" \
  "look at the disk: dmesg, smartctl"
run true restic check --quiet 2>"$folder/said" || die "the copy has errors: $(head -n 1 "$folder/said")"

announce "tar $(find "$own" -type f -printf '%s\n' | awk '{ n += $1 } END { printf "%.0f %d", n, NR }')"
run true tar --create --format ustar --owner 0 --group 0 --numeric-owner --directory "$own" config data index keys locks snapshots >&3 ||
  die "the tar was not taken as a whole"
