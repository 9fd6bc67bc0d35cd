# shellcheck shell=bash
# What backup.sh, restore.sh and prune.sh share. They source it from the instance's home.

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || die "must run as root" "sudo $0"

NAME='' RESTIC_REPOSITORY='' DUMP='' LFTP_DSN='' DB_NAME='' DB_USER=''
# shellcheck source=/dev/null
. ./.backup.env
: "${NAME:?}" "${RESTIC_REPOSITORY:?}" "${DUMP:?}" "${DB_NAME:?}" "${DB_USER:?}"
export RESTIC_REPOSITORY
export RESTIC_PASSWORD_FILE=$PWD/.restic_password

# Only one of the three scripts at a time works on an instance: the kernel releases the lock when
# its holder dies, however it dies.
only_one() {
  exec 9>.backup.lock
  flock --nonblock 9 || die "another backup, restore or prune of $NAME is running" "see who: fuser -v $PWD/.backup.lock"
}

# The services of the stack; no terminal, no waiting for a standard input.
compose() { docker compose --file docker-compose.yml "$@" </dev/null; }
postgres() { compose exec -T --user postgres postgres "$@"; }
sql() { postgres psql --username "$DB_USER" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 "$@"; }

wait_for_postgres() {
  local n
  for ((n = 0; n < 60; n++)); do
    ! postgres pg_isready --quiet --host 127.0.0.1 --username "$DB_USER" --dbname "$DB_NAME" 2>/dev/null || return 0
    sleep 1
  done
  die "PostgreSQL of $NAME does not answer" "docker compose --file $PWD/docker-compose.yml logs postgres"
}

# mirror keep|delete: copies the repository to LFTP_DSN, and keeps or deletes there what is no longer
# here. The address holds a password, so it goes by standard input.
mirror() {
  local delete=""
  [ "$1" = keep ] || delete=--delete
  [ -n "$LFTP_DSN" ] || return 0
  [ -d "$RESTIC_REPOSITORY" ] || { say "$RESTIC_REPOSITORY is not a folder: not mirrored"; return 0; }
  say "mirroring $RESTIC_REPOSITORY"
  lftp <<LFTP
set cmd:fail-exit yes
set net:timeout 20
set net:max-retries 2
set net:reconnect-interval-base 2
open "$LFTP_DSN"
mkdir -p -f "$NAME"
mirror --reverse --parallel=2 --no-perms $delete "$RESTIC_REPOSITORY" "$NAME/restic"
LFTP
}
