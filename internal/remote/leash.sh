# shellcheck shell=sh
# Runs a command on a leash: once nobody listens to it any more, it and all
# that it started are ended.
#
#   sh -c "$(cat leash.sh)" sh nothing|chunks COMMAND…
#
# sshd itself ends nothing: a command without a terminal outlives its
# connection, and takes the end of its input for the end of the data. So:
#
# - every second a NUL goes to standard error, which tells whether sshd still
#   reads there. No message has a NUL; the listener takes them out again.
# - input comes in chunks, each after a line with its size in bytes, and after
#   the last one the line "end". The command sees the end of its input only if
#   that was said; otherwise it waits for more until the leash ends it.
{
	trap '' PIPE
	while sleep 1 2>/dev/null && printf '\0' >&2; do :; done
	trap '' TERM
	kill -s TERM 0
	sleep 5
	kill -s KILL 0
} </dev/null >/dev/null &
leash=$!

input=$1
shift
exec 4>&2 2>/dev/null # for the command alone: the shell would name who it kills
case $input in
nothing)
	"$@" </dev/null 2>&4 4>&-
	;;
chunks)
	{
		sh -c 'echo "$PPID"'
		while IFS= read -r size && [ "$size" != end ]; do
			head -c "$size"
		done
		while [ "$size" != end ]; do sleep 60; done
	} 4>&- | {
		read -r feeder
		"$@" 2>&4 4>&-
		status=$?
		kill -s KILL "$feeder"
		exit "$status"
	}
	;;
esac
status=$?
kill "$leash"
exit "$status"
