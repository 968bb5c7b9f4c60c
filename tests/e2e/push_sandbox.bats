#!/usr/bin/env bats
# certpush talks to the mail host in a process that has read its keys before, and can do nothing else any more.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

@test "whoever connects is nobody, has a filter, and opens no file any more" {
	traced -e trace=setresuid,seccomp,connect,openat,open -- --force
	[ "$status" -eq 0 ]
	local worker
	worker=$(awk '/connect\(.*sin_port=htons\('"$PORT"'\)/ { print $1; exit }' "$TRACE")
	[ -n "$worker" ]
	awk -v pid="$worker" '
		$1 == pid && /setresuid\(65534, 65534, 65534\) *= 0/ { dropped = 1 }
		$1 == pid && /SECCOMP_SET_MODE_FILTER.*= 0$/ && !/NULL/ && dropped { filtered = 1 }
		$1 == pid && /connect\(/ && !/AF_UNIX/ { connected = 1; if (!filtered) bad = 1 }
		$1 == pid && filtered && /open(at)?\(.*= [0-9]/ { bad = 1 }
		END { exit bad || !connected }' "$TRACE"
	# And it is the only one that does.
	[ "$(awk '/connect\(/ && !/AF_UNIX/ { print $1 }' "$TRACE" | sort -u | wc -l)" -eq 1 ]
}

@test "a worker that is killed is told, and nothing is remembered" {
	traced -e trace=seccomp -e inject=seccomp:signal=KILL -- --force
	refused 65 'the process for talking to the mail host was ended by signal KILL'
	staging_is_empty
	[ -z "$(ls -A "$STATE")" ]
}

@test "without a filter nobody is connected to" {
	traced -e trace=seccomp,connect -e inject=seccomp:error=ENOSYS -- --force
	refused 71 'the process for talking to the mail host could not be confined: seccomp'
	[ "$(grep -c 'connect(.*AF_INET' "$TRACE")" -eq 0 ]
}
