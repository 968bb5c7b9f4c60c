#!/usr/bin/env bats
# The demonstrations, as the README has them typed, beside the lab of the other tests.

# shellcheck disable=SC2154 # status and output are those of bats

load e2e/common

setup_file() {
	TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	export TOP LAB=${LAB:-/var/tmp/certsync}-demo LAB_PROJECT=${LAB_PROJECT:-mailcow}demo
	export LAB_PORT_BASE=$((${LAB_PORT_BASE:-20000} - 5000))
}

@test "the demo pushes and deploys, renews, and ends with nine endpoints that serve the renewed certificate" {
	local command
	command=$(documented 'here make demo' | head -n 1)
	run here "${CERTSYNC_BUILD:-$TOP/build}" "${command#here }"
	expect 0 '9 of 9 endpoints serve the renewed certificate' 'nothing to do'
	[ ! -e "$LAB" ]
}

@test "the demo of DANE loses no mail with the gate, and some without it" {
	local command
	command=$(documented 'here make demo-dane')
	run here "${CERTSYNC_BUILD:-$TOP/build}" "${command#here }"
	expect 0 'With the gate not one attempt failed; without it'
	[ ! -e "$LAB" ]
}
