#!/bin/bash
# The clients of PostgreSQL 13 under the names of those of 10, and no kinder:
# what came after 10 is refused or left out. The dumps, and what psql understands
# once it runs, are 13's otherwise.
set -euo pipefail

me=${0##*/}
real=/usr/lib/postgresql/13/bin/$me

# fail says what is wrong and gives up.
fail() {
  printf '%s: %s\n' "$me" "$1" >&2
  exit 1
}

case ${1:-} in -V | --version) echo "$me (PostgreSQL) 10.23" && exit ;; esac

create='' archive='' file='' database='' previous=''
for arg; do
  case "$me ${arg%%=*}" in
  pg_*' --no-comments' | pg_dump*' --load-via-partition-root' | pg_dump*' --extra-float-digits' | \
    pg_dump*' --on-conflict-do-nothing' | pg_dump*' --rows-per-insert' | 'pg_dump --include-foreign-data' | \
    'pg_dumpall --exclude-database' | 'psql --csv' | 'dropdb --force' | 'dropdb -f' | \
    'vacuumdb --skip-locked' | 'vacuumdb --disable-page-skipping' | 'vacuumdb --min-'*'xid-age' | \
    'vacuumdb --parallel' | 'vacuumdb -P'* | 'reindexdb --concurrently' | 'reindexdb --jobs' | 'reindexdb -j'*)
    fail "unrecognized option '$arg'"$'\n'"Try \"$me --help\" for more information."
    ;;
  esac
  case "$previous $arg" in
  '-f '* | '--file '*) file=$arg ;;
  '-d '* | '--dbname '* | *' -d'?* | *' --dbname='*) database=yes ;;
  '-F '[!p]* | '--format '[!p]* | *' -F'[!p]* | *' --format='[!p]*) archive=yes ;;
  *' -f'?*) file=${arg#-f} ;;
  *' --file='*) file=${arg#*=} ;;
  *' -C'* | *' --create') create=yes ;;
  esac
  previous=$arg
done

# Of what is printed, the form of 10, and without what was pg_dumpall's alone: what
# is set for a database. Rows may look like either.
form='
  /^COPY .* FROM stdin;$/,/^\\\.$/b
  s/^(CREATE DATABASE .*) LOCALE = ([^ ;]+)/\1 LC_COLLATE = \2 LC_CTYPE = \2/'
left_out='
  /^ALTER DATABASE .* (SET|CONNECTION LIMIT) /d
  /^ALTER ROLE .* IN DATABASE .* SET /d
  /^(GRANT|REVOKE) .* ON DATABASE /d'
edit=''
case $me in
pg_dumpall) edit=$form ;;
pg_dump) [ -z "$create" ] || [ -n "$archive" ] || edit=$form$left_out ;;
pg_restore)
  [ "$file" != - ] || fail 'with 10, "-" is the name of a file; what has no --file goes to standard output'
  # 13 wants to be told that.
  [ -n "$file$database" ] || set -- "$@" --file=-
  [ -z "$create" ] || [ -z "$database" ] || fail 'this stand-in has no --create together with --dbname'
  [ -z "$create" ] || edit=$form$left_out
  ;;
esac

if [ -z "$edit" ]; then
  exec "$real" "$@"
elif [ -n "$file" ]; then
  "$real" "$@"
  sed -Ei "$edit" "$file"
else
  "$real" "$@" | sed -E "$edit"
fi
