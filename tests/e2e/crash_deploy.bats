#!/usr/bin/env bats
# certdeploy is killed at each of its system calls, and has each of them fail: the next run mends it.

# shellcheck disable=SC2030,SC2031,SC2317 # each test is a process of its own; try_all calls what is defined here

load deploy
load crash

setup_file() {
	deploy_setup_file
	crash_setup_file
}

setup() {
	deploy_setup
	SCENE=$BATS_TEST_TMPDIR/scene
	SSL=$SCENE/mailcow/data/assets/ssl
	STAGING=$SCENE/incoming
	STATE=$SCENE/state
	mkdir "$SCENE"
	mv "$ROOT" "$SCENE/mailcow"
	mkdir "$STAGING"
	ROOT=$SCENE/mailcow
	configure
	put_generation "$PAIRS/new"
	scene_is_set
}

faulty() {
	"$@" "$PROGRAM" -c "$CONF"
}

normal() {
	"$PROGRAM" -c "$CONF"
}

unharmed() {
	keys_are_kept "$SCENE"
}

mended() {
	keys_are_kept "$SCENE" && installed_is "$PAIRS/new" && staging_is_empty && nothing_left_over &&
		[ "$(stat -c %a "$SSL/cert.pem" "$SSL/key.pem" | paste -sd' ')" = '644 600' ] &&
		cmp "$STATE"/previous/*/fullchain.pem "$PAIRS/current/fullchain.pem" &&
		cmp "$STATE"/previous/*/privkey.pem "$PAIRS/current/privkey.pem"
}

@test "certdeploy killed at a system call: the next run brings it to its end" {
	try_all kill 'certdeploy killed'
}

@test "certdeploy with a system call that fails: the next run brings it to its end" {
	try_all fail 'certdeploy failed'
}
