# shellcheck shell=bash
# What backup.sh, restore.sh and prune.sh share. They source it from the instance's home.

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || die "must run as root" "sudo $0"
umask 077

NAME='' RESTIC_REPOSITORY='' LFTP_DSN='' DB_NAME='' DB_USER=''
# shellcheck source=/dev/null
. ./.backup.env
: "${NAME:?}" "${RESTIC_REPOSITORY:?}" "${DB_NAME:?}" "${DB_USER:?}"
export RESTIC_REPOSITORY
export RESTIC_PASSWORD_FILE=$PWD/.restic_password

# Only one of the three scripts at a time works on an instance: the kernel releases the lock when
# its holder dies, however it dies.
only_one() {
  exec 9>.backup.lock
  flock --nonblock 9 || die "another backup, restore or prune of $NAME is running" "see who: fuser -v $PWD/.backup.lock"
}

# The services of the stack; no terminal, no waiting for a standard input. 9>&-: what is started
# here must not hold our lock when we are gone.
compose() {
  docker compose --project-name "$NAME" --env-file /dev/null --file docker-compose.yml "$@" </dev/null 9>&-
}
postgres() { compose exec -T --user postgres --env PGAPPNAME=mrs-backup postgres "$@"; }
sql() { postgres psql --username "$DB_USER" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }

wait_for_postgres() {
  local n
  for ((n = 0; n < 60; n++)); do
    ! postgres pg_isready --quiet --host 127.0.0.1 --username "$DB_USER" --dbname "$DB_NAME" 2>/dev/null || return 0
    sleep 1
  done
  die "PostgreSQL of $NAME does not answer" "docker compose --file $PWD/docker-compose.yml logs postgres"
}

# dump_folder: the host's folder that the running postgres has as /dump.
dump_folder() {
  local folder
  folder=$(docker inspect --format '{{range .Mounts}}{{if eq .Destination "/dump"}}{{.Source}}{{end}}{{end}}' \
    "$(compose ps --quiet postgres)")
  [ -d "$folder" ] || die "the postgres container of $NAME has no folder of the host as /dump"
  printf '%s' "$folder"
}

# no_leftovers FOLDER: ends what a run that was killed left at work in the database, and removes
# what it left in FOLDER, home and the database server. The lock must be held.
no_leftovers() {
  local database
  sql --dbname postgres --command "
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'mrs-backup' and pid <> pg_backend_pid()" >/dev/null
  rm -rf -- "${1:?}"/data "$1"/data.* "$1"/globals.sql "$1"/restore .restore-*
  for database in $(sql --dbname postgres --command "
    select datname from pg_database where datname like '${DB_NAME//_/\\_}\\_restore\\_%'"); do
    sql --dbname postgres --command "drop database \"$database\""
  done
}

# repository_id: the id of the repository; fails where it can't be opened.
repository_id() {
  restic cat config 2>/dev/null | sed -n 's/.*"id": *"\([0-9a-f]*\)".*/\1/p' | grep .
}

# open_repository: makes sure that the repository is there and is the one of this instance, so that
# a disk that is not mounted is never taken for a repository without snapshots.
open_repository() {
  local id
  id=$(repository_id) || die "the repository $(shown) can't be opened" "is its disk mounted? is it reachable? restic says: $(restic cat config 2>&1 | tail -n 1)"
  [ "$id" = "$(cat .restic_id)" ] || die "$(shown) is not the repository that the backups of $NAME are in" \
    "if it is to be from now on: rm $PWD/.restic_id, then deploy"
  # Locks of runs that were killed; living ones stay.
  restic unlock --quiet
}

# shown: the repository without the password that its address may hold.
shown() { printf '%s' "$RESTIC_REPOSITORY" | sed 's#://\([^:/@]*\):[^@/]*@#://\1:…@#'; }

# ftp: runs lftp's commands on standard input at LFTP_DSN. The address holds a password, so it goes
# by standard input too.
ftp() {
  {
    printf '%s\n' 'set cmd:fail-exit yes' 'set net:timeout 20' 'set net:max-retries 2' 'set net:reconnect-interval-base 2'
    printf 'open "%s"\n' "$LFTP_DSN"
    cat
  } | lftp
}

# mirror keep|delete: copies the repository to LFTP_DSN, and keeps or deletes there what is no longer
# here. A mirror of another repository is left alone.
mirror() {
  local delete="" there
  [ "$1" = keep ] || delete=--delete
  [ -n "$LFTP_DSN" ] || return 0
  [ -d "$RESTIC_REPOSITORY" ] || { say "$(shown) is not a folder: not mirrored"; return 0; }
  say "mirroring $RESTIC_REPOSITORY"
  ftp <<<"mkdir -p -f \"$NAME/restic\"" || return 1
  there=$(ftp <<<"cls -1 \"$NAME/restic\"") || return 1
  if [[ $there == *config* ]] && ! ftp <<<"cat \"$NAME/restic/config\"" | cmp --silent - "$RESTIC_REPOSITORY/config"; then
    printf 'the mirror holds another repository, which is left alone\nhint: move it away, then run %s again\n' "$PWD/${0##*/}" >&2
    return 1
  fi
  ftp <<<"mirror --reverse --parallel=2 --no-perms $delete \"$RESTIC_REPOSITORY\" \"$NAME/restic\""
}
