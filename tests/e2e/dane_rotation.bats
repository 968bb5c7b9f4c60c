#!/usr/bin/env bats
# A new key comes while somebody delivers mail by DANE, and not otherwise: the judge of the gate. `make demo-dane` shows
# the same.

load deploy
load dane
load rotation

setup_file() {
	deploy_setup_file
	rotation_setup_file
}

teardown_file() {
	rotation_teardown_file
}

setup() {
	deploy_setup
}

teardown() {
	timeline
	rotation_teardown
}

@test "a rotation, with the gate: not one attempt to deliver mail fails" {
	rotation_setup auto
	rotate_with_gate
	attempts | awk '$2 != "sent"'
	[ "$(failed)" -eq 0 ]
	[ "$(delivered)" -eq "$(cat "$COUNT")" ]
	[ "$(verified)" -eq "$(delivered)" ]
}

@test "a rotation, without the gate: mail is refused until all senders know of the new record" {
	rotation_setup off
	rotate_without_gate
	[ "$(failed)" -gt 0 ]
	# For no other reason.
	[ "$(attempts | grep -c ' deferred .* (Server certificate not verified)$')" -eq "$(failed)" ]
	[ "$(verified)" -eq "$(delivered)" ]
}
