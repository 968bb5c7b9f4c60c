#!/usr/bin/env bats
# certpush is killed at each of its system calls, and has each of them fail: the next run mends it.

# shellcheck disable=SC2030,SC2031,SC2317 # each test is a process of its own; try_all calls what is defined here

load push
load crash

setup_file() {
	push_setup_file
	run_sshd "$BATS_FILE_TMPDIR/main"
	crash_setup_file
}

teardown_file() {
	push_teardown_file
}

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	scene_is_set "$STATE"
}

teardown() {
	push_teardown
}

# What was pushed by the run before is on the other host, and no part of the scene.
faulty() {
	find "$STAGING" -mindepth 1 -delete
	"$@" "$PROGRAM" -c "$CONF"
}

normal() {
	"$PROGRAM" -c "$CONF"
}

# What has its final name is whole; and what is remembered is there.
unharmed() {
	local generation whole=0
	for generation in "$STAGING"/*/; do
		[ -d "$generation" ] || continue
		cmp "$generation/fullchain.pem" "$PAIRS/mail/fullchain.pem" &&
			cmp "$generation/privkey.pem" "$PAIRS/mail/privkey.pem" || return
		whole=$((whole + 1))
	done
	keys_are_kept "$STAGING" "$STATE" || return
	[ ! -e "$STATE/last_fp" ] || {
		[ "$(cat "$STATE/last_fp")" = "$(fingerprint "$PAIRS/mail/leaf.pem")" ] && [ "$whole" -gt 0 ]
	}
}

mended() {
	unharmed && [ "$(cat "$STATE/last_fp")" = "$(fingerprint "$PAIRS/mail/leaf.pem")" ] &&
		[ -z "$(find "$STATE" -name '.*.new')" ]
}

@test "certpush killed at a system call: the next run brings it to its end" {
	try_all kill 'certpush killed'
}

@test "certpush with a system call that fails: the next run brings it to its end" {
	try_all fail 'certpush failed'
}
