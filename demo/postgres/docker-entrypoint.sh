#!/bin/bash
# Starts PostgreSQL as the upstream image does: an empty PGDATA gets a cluster
# with the superuser POSTGRES_USER, its password POSTGRES_PASSWORD, the database
# POSTGRES_DB and what /docker-entrypoint-initdb.d/*.sql and *.sh add; one that
# holds a cluster is served as it is.
#
# Unlike upstream, a cluster that is being made lives in PGDATA/.init and its
# server in a private socket folder. So an interrupted first start begins anew
# at the next one, and nobody can take the temporary server for the real one.
set -euo pipefail

# fail says what is wrong and what mends it, and gives up.
fail() {
	printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
	exit 1
}

# become_postgres gives the folders to postgres and starts this script again as
# postgres. A bind mount belongs to whoever made it on the host.
become_postgres() {
	mkdir -p "$PGDATA" /var/run/postgresql
	chmod 0700 "$PGDATA"
	chmod 3775 /var/run/postgresql
	find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres:postgres {} +
	exec env HOME=/var/lib/postgresql setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
}

# query runs the SQL on its standard input in the temporary server.
query() {
	psql --no-psqlrc --no-password --quiet -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" "$@"
}

# run_scripts runs what the operator wants done once in a new cluster.
run_scripts() {
	local script
	for script in /docker-entrypoint-initdb.d/*; do
		case $script in
		*.sh) echo "running $script" && bash "$script" ;;
		*.sql) echo "running $script" && query --dbname "$POSTGRES_DB" --file "$script" ;;
		*'/*') ;; # the folder is empty
		*) echo "ignoring $script" ;;
		esac
	done
}

# make_cluster fills PGDATA. PG_VERSION is moved there last, because it is what
# tells a cluster from an empty folder.
make_cluster() {
	local final=$PGDATA
	local -x PGDATA=$new PGHOST=$sockets

	rm -rf "$new"
	initdb --username "$POSTGRES_USER" --pwfile <(printf '%s\n' "$POSTGRES_PASSWORD") \
		--encoding UTF8 --locale C.UTF-8 --auth-local trust --auth-host scram-sha-256
	printf '\nhost all all all scram-sha-256\n' >>"$new/pg_hba.conf"

	pg_ctl --wait start -o "-c listen_addresses='' -c unix_socket_directories='$sockets'"
	if [ "$POSTGRES_DB" != postgres ]; then
		query --dbname postgres -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
	fi
	run_scripts
	pg_ctl --wait stop -m fast

	find "$new" -mindepth 1 -maxdepth 1 ! -name PG_VERSION -exec mv -t "$final" {} +
	mv "$new/PG_VERSION" "$final/"
}

# discard removes what make_cluster leaves, whether it succeeded or not.
discard() {
	pg_ctl --pgdata "$new" stop -m immediate >/dev/null 2>&1 || true
	rm -rf "$new" "$sockets"
}

if [ "${1:-}" = "" ] || [ "${1:0:1}" = - ]; then
	set -- postgres "$@"
fi
if [ "$1" = postgres ]; then
	uid=$(id -u)
	if [ "$uid" = 0 ]; then
		become_postgres "$@"
	fi
	if [ ! -s "$PGDATA/PG_VERSION" ]; then
		[ -n "${POSTGRES_PASSWORD:-}" ] ||
			fail "POSTGRES_PASSWORD is empty: the superuser of the new cluster needs a password" \
				"set it in the environment of this container"
		files=$(find "$PGDATA" -mindepth 1 -maxdepth 1 ! -name .init)
		[ -z "$files" ] ||
			fail "$PGDATA holds files but no PostgreSQL cluster" \
				"give this container an empty folder, or one that holds a whole cluster"
		export POSTGRES_USER=${POSTGRES_USER:-postgres}
		export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
		new=$PGDATA/.init
		sockets=$(mktemp -d)
		trap discard EXIT
		trap 'exit 1' INT TERM
		make_cluster
		trap - INT TERM EXIT
		discard
		echo "PostgreSQL's new cluster is ready in $PGDATA"
	fi
	unset POSTGRES_PASSWORD # the server has no use for it
fi
exec "$@"
