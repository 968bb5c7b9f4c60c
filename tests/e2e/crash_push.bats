#!/usr/bin/env bats
# certpush is killed at each of its system calls, and has each of them fail: the next run mends it.

# shellcheck disable=SC2030,SC2031,SC2154,SC2317 # each test is a process of its own; try_all calls what is defined here

load push
load crash

setup_file() {
	push_setup_file
	run_sshd "$BATS_FILE_TMPDIR/main"
	crash_setup_file
}

setup() {
	# It has fewer calls, and a run is quick.
	CRASH_EVERY=$((CRASH_EVERY / 5 + 1))
	push_setup
	lineage npm-5 "$PAIRS/mail"
	scene_is_set "$STATE"
}

teardown() {
	push_teardown
	! mountpoint -q "$STATE" || umount "$STATE"
}

# What was pushed by the run before is on the other host, and no part of the scene.
faulty() {
	find "$STAGING" -mindepth 1 -delete
	"$@" "$PROGRAM" -c "$CONF"
}

normal() {
	"$PROGRAM" -c "$CONF"
}

# What has its final name is whole; and what is remembered is there. What was killed may leave a half-made directory,
# which certdeploy removes: see crash_deploy.bats.
no_half() {
	local generation
	for generation in "$STAGING"/*/; do
		[ -d "$generation" ] || continue
		cmp "$generation/fullchain.pem" "$PAIRS/mail/fullchain.pem" &&
			cmp "$generation/privkey.pem" "$PAIRS/mail/privkey.pem" || return
	done
	keys_are_kept "$STAGING" "$STATE"
}

is_pushed() {
	compgen -G "$STAGING/2*" >/dev/null
}

unharmed() {
	no_half || return
	[ ! -e "$STATE/last_fp" ] || {
		[ "$(cat "$STATE/last_fp")" = "$(fingerprint "$PAIRS/mail/leaf.pem")" ] && is_pushed
	}
}

mended() {
	unharmed && [ "$(cat "$STATE/last_fp")" = "$(fingerprint "$PAIRS/mail/leaf.pem")" ] &&
		[ "$(ls -A "$STATE")" = last_fp ] && "$PROGRAM" -c "$CONF" 2>&1 | grep -q 'nothing to do'
}

@test "certpush killed at a system call: the next run brings it to its end" {
	try_all kill 'certpush killed'
}

@test "certpush with a system call that fails: the next run brings it to its end" {
	try_all fail 'certpush failed'
}

# --- pushed a while ago, and still not served ---

not_served() {
	tls_server -cert "$PAIRS/old/fullchain.pem" -key "$PAIRS/old/privkey.pem"
	configure verify.verify=on "verify.endpoint=$ENDPOINT"
	pushed_since "$PAIRS/mail" '3 hours ago'
	scene_is_set "$STATE"
	BEFORE=$(stat -c %Y "$STATE/last_fp")
	# It fails as long as the other host serves the old one, but for the time after a push.
	normal() {
		local status=0
		"$PROGRAM" -c "$CONF" || status=$?
		[ "$status" -eq 69 ] || return "$status"
	}
	unharmed() {
		no_half && [ -s "$STATE/last_fp" ] && [ "$(cat "$STATE/last_fp")" = "$(fingerprint "$PAIRS/mail/leaf.pem")" ] &&
			{ is_pushed || [ "$(stat -c %Y "$STATE/last_fp")" = "$BEFORE" ]; }
	}
	mended() {
		unharmed && [ "$(ls -A "$STATE")" = last_fp ] && { is_pushed || could_not_ask; }
	}
}

# Not to know is no reason to push, and the run before the next one may end so.
could_not_ask() {
	[ ! -e "$SAID.next" ] && grep -q "certpush: .*$ENDPOINT" "$SAID"
}

@test "certpush killed as it pushes again what is not served" {
	not_served
	try_all kill 'certpush, pushing again, killed'
}

@test "certpush with a system call that fails as it pushes again what is not served" {
	not_served
	try_all fail 'certpush, pushing again, failed'
}

# --- other mishaps ---

@test "many runs at once: one of them pushes, and each other one says that a run is under way or has nothing to do" {
	many_at_once "$PROGRAM" -c "$CONF"
	[[ $statuses =~ ^0(\ 0)*(\ 75)*$ ]]
	[ "$(grep -c 'certpush: pushed' <<<"$output")" -eq 1 ]
	[ "$(grep -c "error: $STATE: another run is under way" <<<"$output")" -eq "$(grep -o 75 <<<"$statuses" | wc -l)" ]
	pushed "$PAIRS/mail"
}

@test "a run that is killed while it pushes gives its lock back" {
	with_fault fsync:delay_enter=600000
	begin --
	await compgen -G "$STAGING/.*.part/fullchain.pem"
	kill -KILL "$JOB"
	finish
	[ "$status" -eq "$KILLED" ]
	normal
	mended
}

@test "the state directory's disk is full: pushed, but not remembered; pushed again when there is room" {
	mount -t tmpfs -o size=4k,mode=0700 full "$STATE"
	echo filled >"$STATE/something"
	certpush
	expect 73 "pushed, but the next run will push again: $STATE" 'No space left on device' 'free space'
	[ "$(ls -A "$STATE")" = something ]
	rm "$STATE/something"
	certpush
	expect 0 pushed
	mended
}

@test "the clock is wrong by a year: nothing is pushed, and it is when the clock is right" {
	local date
	for date in '1 year ago' '1 year'; do
		at_time "$date" certpush
		refused 65 'npm-5: the certificate'
		staging_is_empty
	done
	normal
	mended
}
