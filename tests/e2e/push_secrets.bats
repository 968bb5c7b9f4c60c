#!/usr/bin/env bats
# No byte of the SSH key or of a certificate's key is where it does not belong, during a run of certpush and after it.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	KEYS=("$LAB_IDENTITY" "$PAIRS/mail/privkey.pem" "$PAIRS/newer/privkey.pem")
}

secrets() { # exits|trace|files WHAT...
	run timeout -k 5 100 python3 "$TOP/tests/e2e/secrets.py" "$1" "${KEYS[@]}" -- "${@:2}"
}

# at_exit STATUS TEXT [OPTION...]: a run ends so, and no process of it ends with a key in its memory
at_exit() {
	secrets exits "$PROGRAM" -c "$CONF" "${@:3}"
	not_said 'secret found'
	expect "$1" "$2"
	secrets files <(echo "$output")
	expect 0
}

@test "no process of certpush ends with a key in its memory, or gives one to another in arguments or environment" {
	at_exit 0 'would push' -n
	at_exit 0 pushed -v
	at_exit 0 'nothing to do' -v
	lineage npm-7 "$PAIRS/newer"
	at_exit 0 pushed -v
	at_exit 0 '' list
	at_exit 0 '' check
}

@test "nor where the server refuses the key, or the pair" {
	configure target.user=nobody
	at_exit 77 'does not accept the key'
	configure "target.user=$LAB_SSH_USER" target.staging=no-such-directory
	at_exit 73 'no-such-directory'
}

@test "a key is read from its file, and appears in no other system call" {
	local temporary=$BATS_TEST_TMPDIR/temporary written
	mkdir "$temporary"
	export TMPDIR=$temporary
	traced -yy -s 65536 -- -v
	expect 0 pushed
	secrets trace "$TRACE"
	expect 0
	[ -z "$(ls -A "$temporary")" ]
	written=$(sed -nE 's/^.*openat\(.*(O_WRONLY|O_RDWR).*\) = [0-9]+<(.*)>$/\2/p' "$TRACE" |
		grep -vE "^(/dev/null(<.*)?$|$STATE/|/proc/|/sys/)") || true
	[ -z "$written" ]
}

@test "no core is dumped, whatever the signal and the moment" {
	local dir=$BATS_TEST_TMPDIR/cores signal call
	mkdir "$dir"
	cd "$dir"
	ulimit -c unlimited
	for signal in SEGV ABRT; do
		for call in pipe2:when=1 seccomp:when=1 connect:when=1 sendto:when=5 renameat:when=1; do
			traced -e "trace=${call%%:*}" -e "inject=${call%%:*}:signal=$signal:${call#*:}" -- -f
			grep -q "killed by SIG$signal" "$TRACE"
			! grep 'core dumped' "$TRACE" >&2
			[ -z "$(ls -A "$dir")" ]
		done
	done
}
