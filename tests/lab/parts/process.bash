# shellcheck shell=bash
# process - start daemons, and later end exactly those and no others
#
# A daemon is remembered as its pid together with the boot it belongs to and its start time: a pid
# that the kernel has since given to somebody else never matches.

process_identity() { # PID
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The name may hold spaces and parentheses; fields are counted from behind it.
	stat=${stat##*) }
	# shellcheck disable=SC2086
	set -- "$1" $stat
	[ "$2" != Z ] || return 1
	printf '%s %s %s\n' "$1" "${21}" "$(cat /proc/sys/kernel/random/boot_id)"
}

process_alive() { # RECORD
	local recorded pid
	recorded=$(cat "$1" 2>/dev/null) || return 1
	pid=${recorded%% *}
	[ -n "$pid" ] && [ "$(process_identity "$pid")" = "$recorded" ]
}

# wait_for SECONDS COMMAND...: poll until COMMAND succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || return 1
		sleep 0.05
	done
}

# process_spawn RECORD LOG COMMAND...: COMMAND in a session of its own, not holding our locks.
# Nothing ends us between its start and its record, for what is not recorded is never stopped: hence the
# subshells that no signal ends.
process_spawn() (
	trap '' HUP INT TERM
	record=$1 log=$2
	shift 2
	setsid env --default-signal=HUP,INT,TERM "$@" </dev/null >>"$log" 2>&1 8>&- 9>&- &
	process_identity $! >"$record" || die "$1 did not start, see $log"
)

process_child() { # PID
	local children
	children=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
	printf '%s\n' "${children%% *}"
}

# Either way: one that has ended already will have no child any more.
process_forked() { # PID
	[ -n "$(process_child "$1")" ] || ! process_identity "$1" >/dev/null
}

# process_spawn_apart RECORD LOG SETUP COMMAND...: COMMAND as the first process of a pid namespace,
# with a private view of the mounts in which the shell text SETUP runs first. When that one process
# ends, however it ends, the kernel ends all its descendants and drops all its mounts.
process_spawn_apart() (
	trap '' HUP INT TERM
	record=$1 log=$2 setup=$3
	shift 3
	setsid env --default-signal=HUP,INT,TERM unshare --mount --propagation slave --pid --fork --kill-child --mount-proc \
		sh -euc "$setup"'; exec "$@"' sh "$@" </dev/null >>"$log" 2>&1 8>&- 9>&- &
	outer=$!
	wait_for 5 process_forked "$outer" || die "$1 did not start, see $log"
	process_identity "$(process_child "$outer")" >"$record" || die "$1 did not start, see $log"
)

process_gone() {
	! process_alive "$1"
}

# SIGKILL and nothing gentler: the lab keeps no state, and it takes whole pid namespaces down at once.
process_stop() { # RECORD
	local pid
	if process_alive "$1"; then
		pid=$(cut -d' ' -f1 "$1")
		kill -KILL "$pid" 2>/dev/null || true
		wait_for 15 process_gone "$1" || die "process $pid does not end"
	fi
	rm -f "$1"
}
