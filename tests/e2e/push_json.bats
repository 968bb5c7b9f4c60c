#!/usr/bin/env bats
# The JSON of certpush has the shape that certpush(8) documents, no member less and none more.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push
load served

bats_require_minimum_version 1.5.0

setup() {
	push_setup
	configure verify.verify=on "verify.endpoint=127.0.0.1:$LAB_PORT_IMAPS"
	lineage npm-5 "$PAIRS/mail"
}

# json FILE STATUS COMMAND...: what that prints
json() {
	local file=$1 status=$2
	shift 2
	run --separate-stderr -"$status" "$PROGRAM" -c "$CONF" "$@" --json
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/$file.json"
}

# has_shape SECTION: all that was printed
has_shape() {
	"$BATS_TEST_DIRNAME/json_shape.py" "$TOP/man/certpush.8" "$1" "$BATS_TEST_TMPDIR"/*.json
}

@test "list, of lineages that can be read and of one that cannot" {
	lineage npm-7 "$PAIRS/other"
	lineage npm-20 "$PAIRS/other"
	echo rubbish >"$ARCHIVE/npm-20/fullchain1.pem"
	json several 0 list
	rm -r "$LIVE"/npm-*
	json none 66 list
	has_shape 'JSON of list'
}

@test "check, when all is well, when much is not, and without a configuration" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	json well 0 check
	: >"$KNOWN_HOSTS"
	json unknown-host 2 check
	rm -r "$LIVE/npm-5"
	json no-lineage 2 check
	echo nonsense >>"$CONF"
	json no-settings 3 check
	has_shape 'JSON of check'
}
