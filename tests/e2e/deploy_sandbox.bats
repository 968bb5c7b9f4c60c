#!/usr/bin/env bats
# certdeploy reads what others wrote in processes that can do nothing else, and survives what befalls them.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

# What befalls every worker as it enters its filter: INJECTION is as strace(1) has it, after "inject=".
with_fault() { # INJECTION
	traced "$BATS_TEST_TMPDIR/trace" -f -e trace=seccomp -e "inject=$1" --
}

@test "a judge that is killed is a failure like any other: nothing is changed, and the next run goes on" {
	local before
	put_generation "$PAIRS/new"
	before=$(snapshot "$SSL" "$STAGING")
	with_fault seccomp:signal=KILL
	expect 65 "$SSL: the process for judging the pair was ended by signal KILL" 'it may be an attack'
	same "$before" "$(snapshot "$SSL" "$STAGING")"
	nothing_left_over
	certdeploy
	expect 0 deployed
}

@test "a staged pair whose judge crashes is refused, and what is installed stays" {
	local before
	rm "$SSL/cert.pem" "$SSL/key.pem"
	put_generation "$PAIRS/new"
	before=$(snapshot "$SSL" "$STAGING")
	with_fault seccomp:signal=SEGV
	expect 65 "refused: $GENERATION: the process for judging the pair was ended by signal SEGV"
	same "$before" "$(snapshot "$SSL" "$STAGING")"
}

@test "without a filter nothing is read: no certificate is judged, and nothing is changed" {
	local before
	put_generation "$PAIRS/new"
	before=$(snapshot "$SSL" "$STAGING")
	with_fault seccomp:error=ENOSYS
	expect 71 'could not be confined: seccomp' 'The kernel must have seccomp'
	same "$before" "$(snapshot "$SSL" "$STAGING")"
	nothing_left_over
}

@test "without the right to become nobody nothing is read" {
	put_generation "$PAIRS/new"
	run setpriv --bounding-set -setuid --inh-caps -setuid "$PROGRAM" -c "$CONF"
	expect 71 'could not be confined: setresuid: Operation not permitted' 'CAP_SETUID and CAP_SETGID'
}

# Each worker is nobody, with a filter, before it reads anything; and the main process reads no certificate.
@test "whoever parses is nobody, holds no capability and has a filter" {
	local trace=$BATS_TEST_TMPDIR/trace worker
	put_generation "$PAIRS/new"
	traced "$trace" -f -e trace=setresuid,seccomp,mlock,mlock2,execve --
	expect 0 deployed
	# OpenSSL locks memory for the key that it parses: whoever does that has entered its filter before.
	mapfile -t workers < <(awk '/mlock/ { print $1 }' "$trace" | sort -u)
	[ ${#workers[@]} -ge 2 ]
	for worker in "${workers[@]}"; do
		awk -v pid="$worker" '
			$1 == pid && /SECCOMP_SET_MODE_FILTER.*= 0$/ && !/NULL/ { filtered = 1 }
			$1 == pid && /mlock/ && !filtered { exit 1 }' "$trace"
	done
	grep -q 'setresuid(65534, 65534, 65534) *= 0' "$trace"
}
