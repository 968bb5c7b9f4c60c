#!/usr/bin/env bats
# The JSON of certdeploy has the shape that certdeploy(8) documents, no member less and none more.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

bats_require_minimum_version 1.5.0

setup() {
	export VERIFY=on
	deploy_setup
	use_lab_tree
	put_installed "$PAIRS/current"
	everybody_reloads
}

teardown_file() {
	put_lab_tree_back
}

# json FILE STATUS: what a check prints
json() {
	run --separate-stderr -"$2" "$PROGRAM" -c "$CONF" check --json
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/$1.json"
}

@test "check, when all is well, when much is not, and without a configuration" {
	json well 0
	put_generation "$PAIRS/new"
	put_installed "$PAIRS/newer"
	printf '%s\n' '[mailcow]' 'services = postfix-mailcow dovecot-mailcow' '[verify]' 'endpoints = pop3=127.0.0.1:1' >>"$CONF"
	json stale-down-skipped 2
	jq -e '[.endpoints[].state] | unique == ["down", "skipped", "stale"]' "$BATS_TEST_TMPDIR/stale-down-skipped.json"
	rm "$SSL"/*.pem
	json nothing-installed 2
	echo nonsense >>"$CONF"
	json no-settings 3
	"$BATS_TEST_DIRNAME/json_shape.py" "$TOP/man/certdeploy.8" 'JSON of check' "$BATS_TEST_TMPDIR"/*.json
}
