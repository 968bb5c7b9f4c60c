#!/usr/bin/env bats
# A server, or somebody in between, that does at every step what it should not: certpush ends by itself, says what it
# was, remembers nothing that was not so, and leaves nothing under a final name but the whole pair.
#
# Each test is a matrix and prints how many attempts there were and how many were survived; with WIRE_ALL=1 all of it
# is tried, otherwise a part.

# shellcheck disable=SC2030,SC2031,SC2153,SC2154 # each test is a subshell; PORT and the like are set in push.bash

load push

REQUESTS_MADE='mkdir:0 open:1 open:2 write:1 write:2 fsync:1 fsync:2 close:1 close:2 rename:0'

# Forced commands are run by the login shell: this sshd sees one that the user has.
setup_file() {
	push_setup_file
	cp "$TOP/tests/e2e/odd_sftp.py" "$PUSH_HOME/"
	install -d -m 0700 -o "$OWNER_ID" "$PUSH_HOME/odd"
	mkdir "$BATS_FILE_TMPDIR/main"
	run_sshd "$BATS_FILE_TMPDIR/main" -o "ForceCommand=python3 -B $PUSH_HOME/odd_sftp.py $PUSH_HOME/odd \
		/usr/lib/openssh/sftp-server -u 0077 -d $STAGING"
	sed "s|/usr/sbin/nologin$|/bin/sh|" "$LAB/sshd/etc/passwd" >"$BATS_FILE_TMPDIR/passwd"
	nsenter -t "$(cat "$BATS_FILE_TMPDIR/main/sshd.pid")" -m mount --bind "$BATS_FILE_TMPDIR/passwd" /etc/passwd
}

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	attempts=0
	survived=0
	BEGUN=$SECONDS
	wish init 9 stall
}

wish() { # REQUEST NUMBER ANSWER...
	echo "$@" >"$PUSH_HOME/odd/wish"
	chown "$OWNER_ID" "$PUSH_HOME/odd/wish"
	rm -f "$PUSH_HOME/odd/done"
}

clean() {
	rm -rf "$STAGING" "$STATE"
	mkdir "$STATE"
	make_staging "$STAGING"
}

# What has a final name is the whole pair, and what is remembered was pushed.
nothing_half() {
	local name
	for name in $(generations); do
		cmp "$STAGING/$name/fullchain.pem" "$PAIRS/mail/fullchain.pem" >&2 &&
			cmp "$STAGING/$name/privkey.pem" "$PAIRS/mail/privkey.pem" >&2 || return 1
	done
	if [ "$status" -eq 0 ]; then
		pushed "$PAIRS/mail"
	else
		[ ! -e "$STATE/last_fp" ]
	fi
}

# ended_with STATUS...: certpush did not have to be ended, and said with whom it went wrong
ended_with() {
	local one
	for one; do
		[ "$status" -ne "$one" ] || {
			[ "$one" -eq 0 ] || grep -qE '^certpush: error: .*(127\.0\.0\.1|talking to the mail host)' <<<"$output"
			return
		}
	done
	return 1
}

# attempt WHAT STATUS...: count the run that was just made
attempt() {
	local what=$1
	shift
	attempts=$((attempts + 1))
	if ended_with "$@" && nothing_half; then
		survived=$((survived + 1))
	else
		printf '%s: exit status %s, expected %s; output:\n%s\n' "$what" "$status" "$*" "$output" >&2
	fi
}

tell() { # NAME
	printf '# %s: %s attempts, %s survived\n' "$1" "$attempts" "$survived" >&3
	[ -z "${TORTURE_TABLE:-}" ] ||
		printf '%s\t%s\t%s\t%s\n' "$1" "$attempts" "$survived" "$((SECONDS - BEGUN))" >>"$TORTURE_TABLE"
	[ "$attempts" -gt 0 ] && [ "$attempts" -eq "$survived" ]
}

# ask REQUEST:NUMBER ANSWER STATUS...: a run in which the server answers so
ask() {
	local request=$1 answer=$2
	shift 2
	clean
	# shellcheck disable=SC2086 # an answer may have two words
	wish "${request%:*}" "${request#*:}" $answer
	certpush
	[ -e "$PUSH_HOME/odd/done" ] || {
		echo "$request never came: $output" >&2
		return 1
	}
	attempt "$request $answer" "$@"
}

# The exit status that goes with an SFTP status (draft-ietf-secsh-filexfer-13 9.1).
status_of() { # REQUEST CODE
	case $1:$2 in
	# What cannot or may not be synced was written all the same.
	fsync:*:3 | fsync:*:8) echo 0 ;;
	# Somebody else's file: the next name is tried.
	open:*:4 | open:*:11) echo 0 ;;
	*:3 | *:12) echo 77 ;;
	*:2 | *:10) echo 73 ;;
	*:4 | *:14 | *:15) echo 74 ;;
	*:6 | *:7) echo 75 ;;
	# A name that is taken: the next one is tried, until it is told that all are.
	*) echo 76 ;;
	esac
}

@test "the odd server is a good one if nothing else is wished" {
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

@test "what does not depend on each other is asked for together: the directory and its files, all of both files" {
	local wish
	for wish in 'mkdir 1 after open 2' 'write 1 after close 2'; do
		clean
		# shellcheck disable=SC2086 # of several words
		wish $wish
		certpush
		expect 0
		pushed "$PAIRS/mail"
		[ -e "$PUSH_HOME/odd/done" ]
	done
}

@test "the final name is not asked for before both files are whole" {
	wish close 2 after rename 1
	certpush_within 'while closing the file' limits.run_timeout=3000
	expect 75 'the time was up while closing the file'
	[ -z "$(generations)" ]
}

@test "each SFTP request is answered with each error: the outcome that goes with it, and nothing half" {
	local request code codes turn=0
	for request in $REQUESTS_MADE; do
		if [ -n "${WIRE_ALL:-}" ]; then
			codes="$(seq 1 31) 100 4294967295"
		else
			codes="$((turn % 8 + 1)) $((turn % 23 + 9))"
		fi
		for code in $codes; do
			ask "$request" "status $code" "$(status_of "$request" "$code")"
		done
		turn=$((turn + 1))
	done
	tell 'SFTP requests answered with errors'
}

@test "each SFTP request is done, but answered with an error: an error, and nothing half" {
	local request code codes=4
	[ -z "${WIRE_ALL:-}" ] || codes='2 3 4 7 31'
	for request in $REQUESTS_MADE; do
		for code in $codes; do
			case $request:$code in
			fsync:*:3) ask "$request" "late $code" 0 ;;
			# Somebody else's file, for all that is known: it stays, and the next name is tried.
			open:*:4) ask "$request" 'late 31' 76 ;;
			*) ask "$request" "late $code" 73 74 75 76 77 ;;
			esac
		done
	done
	tell 'SFTP requests done, answered with errors'
}

@test "each SFTP request is answered with what is no answer: an error in time, and nothing half" {
	local request answer answers turn=0 all=(rubbish huge short close handle stranger stall)
	configure limits.run_timeout=10s limits.handshake_timeout=10s
	for request in init:1 $REQUESTS_MADE; do
		answers=("${all[@]}")
		# The quick ones: for the others the time has to be up.
		[ -n "${WIRE_ALL:-}" ] || answers=("${all[turn % 4]}")
		for answer in "${answers[@]}"; do
			ask "$request" "$answer" 74 75 76
		done
		turn=$((turn + 1))
	done
	tell 'SFTP requests answered with no answer'
}

@test "right answers are taken in whatever form, order and company they come" {
	local wish
	for wish in 'mkdir:1 backwards 3' 'write:1 backwards 6' 'mkdir:0 drip' 'open:0 drip' 'write:0 drip' 'rename:0 drip' \
		'mkdir:0 bare' 'write:0 bare' 'fsync:0 bare' 'close:0 bare' 'rename:0 bare' 'open:0 padded 256' \
		'open:1 padded 1' 'init:1 drip' 'init:1 greet 4' 'init:1 noise 300000' 'write:2 noise 300000'; do
		ask "${wish%% *}" "${wish#* }" 0
	done
	tell 'SFTP requests answered in another form'
}

@test "what is almost an answer is none: an error, and nothing half" {
	local request wish
	for request in $REQUESTS_MADE; do
		ask "$request" cut 76
	done
	for wish in 'mkdir:1 twice' 'open:1 twice' 'write:1 twice' 'close:1 twice' 'open:1 padded 257' 'open:2 padded 257' \
		'init:1 greet 2'; do
		ask "${wish%% *}" "${wish#* }" 76
	done
	tell 'SFTP requests answered almost'
}

# spoil HOW NAME STEP: the connection is spoilt at every STEP bytes of what the server says
spoil() {
	local how=$1 step=$3 at=1 wish=$BATS_TEST_TMPDIR/at
	configure limits.run_timeout=3s limits.handshake_timeout=3s
	odd_server spoil "$how" "$PORT" "$wish"
	while :; do
		clean
		rm -f "$wish.done"
		echo "$at" >"$wish"
		certpush
		# All that the server says has been gone through.
		[ -e "$wish.done" ] || break
		# 65: libssh2 1.10 holds some lengths to be impossible, and the process that talks to the server ends.
		attempt "$how at $at" 0 65 75 76 77
		at=$((at + step))
	done
	# The last run was left alone.
	expect 0
	pushed "$PAIRS/mail"
	tell "$2"
}

@test "the connection ends anywhere: an error, or all was done; nothing half" {
	spoil cut 'connection cut' "$([ -n "${WIRE_ALL:-}" ] && echo 16 || echo 400)"
}

@test "the connection hangs anywhere: an error in time, or all was done; nothing half" {
	spoil freeze 'connection frozen' "$([ -n "${WIRE_ALL:-}" ] && echo 96 || echo 2100)"
}

@test "a bit is turned over anywhere: an error in time, or it did not matter; nothing half" {
	spoil flip 'bit of the connection flipped' "$([ -n "${WIRE_ALL:-}" ] && echo 7 || echo 450)"
}
