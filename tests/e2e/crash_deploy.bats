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
	mkdir "$STATE"
	put_generation "$PAIRS/new"
}

teardown_file() {
	put_lab_tree_back
}

faulty() {
	"$@" "$PROGRAM" -c "$CONF"
}

normal() {
	"$PROGRAM" -c "$CONF"
}

unharmed() {
	keys_are_kept "$SSL" "$STAGING" "$STATE"
}

mended() {
	unharmed && installed_is "$PAIRS/new" && staging_is_empty && nothing_left_over &&
		[ "$(stat -c %a "$SSL/cert.pem" "$SSL/key.pem" | paste -sd' ')" = '644 600' ] &&
		cmp "$STATE"/previous/*/fullchain.pem "$PAIRS/current/fullchain.pem" &&
		cmp "$STATE"/previous/*/privkey.pem "$PAIRS/current/privkey.pem"
}

@test "certdeploy killed at a system call: the next run brings it to its end" {
	scene_is_set "$SSL" "$STAGING" "$STATE"
	try_all kill 'certdeploy killed'
}

@test "certdeploy with a system call that fails: the next run brings it to its end" {
	scene_is_set "$SSL" "$STAGING" "$STATE"
	try_all fail 'certdeploy failed'
}

# What is served counts as well: a faulty run may have left the services with either pair.
@test "certdeploy killed while it proves what is served: the next run brings it to its end" {
	CRASH_EVERY=$((CRASH_EVERY * 4))
	VERIFY=on use_lab_tree
	put_installed "$PAIRS/current"
	everybody_reloads
	scene_is_set "$SSL" "$STAGING" "$STATE"
	try_all kill 'certdeploy killed while proving'
}
