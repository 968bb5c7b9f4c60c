#!/usr/bin/env bats
# The JSON of certdeploy has the shape that certdeploy(8) documents, no member less and none more.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy
load dane

bats_require_minimum_version 1.5.0

setup_file() {
	deploy_setup_file
	dane_setup_file 2330
}

setup() {
	export VERIFY=on
	deploy_setup
	use_lab_tree
	put_installed "$PAIRS/current"
	everybody_reloads
}

teardown_file() {
	dns down
	put_lab_tree_back
}

# json FILE STATUS [COMMAND]: what a check prints
json() {
	run --separate-stderr -"$2" "$PROGRAM" -c "$CONF" "${3:-check}" --json
	printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/$1.json"
}

@test "check, when all is well, when much is not, and without a configuration" {
	json well 0
	put_generation "$PAIRS/new"
	put_installed "$PAIRS/newer"
	printf '%s\n' '[mailcow]' 'services = postfix-mailcow dovecot-mailcow' '[verify]' 'endpoints = pop3=127.0.0.1:1' >>"$CONF"
	json stale-down-skipped 2
	jq -e '[.endpoints[].state] | unique == ["down", "skipped", "stale"]' "$BATS_TEST_TMPDIR/stale-down-skipped.json"
	# TLSA records, of which one can be used, and a name that cannot be looked up.
	export DANE=auto
	use_lab_tree
	put_installed "$PAIRS/current"
	printf '%s\n' '[dane]' "resolver = 127.0.0.1:$((DNS_PORT + 1))" 'names = mail.example.org bogus.example' >>"$CONF"
	publish "_25._tcp.mail $(tlsa "$PAIRS/current/leaf.pem")" '_25._tcp.mail TLSA 1 1 1 00'
	everybody_reloads
	json tlsa 1
	jq -e '.tlsa.published[0].records | map(.usable) | sort == [false, true]' "$BATS_TEST_TMPDIR/tlsa.json"
	json only-tlsa 1 tlsa
	# Where no run has noted the time, each look begins to count.
	cmp <(jq '.tlsa | del(.. | .known_from?)' "$BATS_TEST_TMPDIR/tlsa.json") \
		<(jq '.tlsa | del(.. | .known_from?)' "$BATS_TEST_TMPDIR/only-tlsa.json")
	jq -e '[.version, .status, .summary, .hostname, .checks] | all' "$BATS_TEST_TMPDIR/only-tlsa.json"
	mv "$BATS_TEST_TMPDIR/only-tlsa.json" "$BATS_TEST_TMPDIR/only-tlsa"
	export DANE=off
	use_lab_tree
	rm "$SSL"/*.pem
	json nothing-installed 2
	echo nonsense >>"$CONF"
	json no-settings 3
	"$BATS_TEST_DIRNAME/json_shape.py" "$TOP/man/certdeploy.8" 'JSON of check' "$BATS_TEST_TMPDIR"/*.json
}
