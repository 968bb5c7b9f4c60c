#!/usr/bin/env bats
# certdeploy check: what it finds in staging, state and data/assets/ssl; the services are not asked.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

bats_require_minimum_version 1.5.0

setup() {
	deploy_setup
	set_variable SKIP_LETS_ENCRYPT y
	# Only what is looked at here can be wrong.
	DOCKER_HOST=unix://$BATS_TEST_TMPDIR/no-engine.sock
	export DOCKER_HOST
}

# found STATUS TEXT...: check ends so, and its rows say this
found() {
	run --separate-stderr "$PROGRAM" -c "$CONF" check
	expect "$@"
}

@test "all well, nobody is asked: OK, what is installed and for how long; docker need not be there" {
	found 0 "$(fingerprint "$PAIRS/current/leaf.pem") is installed" 'days left' 'nothing new' \
		'not asked: verify = off'
	grep -qE '^dovecot +- ' <<<"$output"
}

@test "a pair that the next run installs: OK" {
	put_generation "$PAIRS/new"
	found 0 "$(generation 10) with $(fingerprint "$PAIRS/new/leaf.pem"), which the next run installs"
}

@test "a flat pair that the next run installs, and a bad generation beside it: the latter is a WARNING" {
	put_generation "$PAIRS/new"
	: >"$GENERATION/privkey.pem"
	put_flat "$PAIRS/newer"
	found 0 'a flat pair with' 'which the next run installs'
	# Last of all, so that nothing good came after it.
	mv "$GENERATION" "$STAGING/$(generation 11)"
	found 1 'a flat pair with' 'refused: ' 'the private key file is empty'
}

@test "the staged pair is the installed one: OK" {
	put_generation "$PAIRS/current"
	found 0 "$(generation 10), which is installed"
}

@test "cert.pem is a symbolic link: CRITICAL, and a run without anything staged says so, too" {
	mv "$SSL/cert.pem" "$ROOT/elsewhere.pem"
	ln -s "$ROOT/elsewhere.pem" "$SSL/cert.pem"
	found 2 'cert.pem or key.pem is a symbolic link, which mailcow'
	certdeploy
	expect 66 'no certificate is staged, and in' 'is a symbolic link'
	[ -L "$SSL/cert.pem" ]
}

@test "a run did not come to its end: WARNING" {
	mkdir -m 0700 "$STATE"
	(cd "$SSL" && sha256sum cert.pem key.pem | sed 's/^[0-9a-f]*/\U&/; s/  / /') >"$STATE/pending"
	found 1 'but the run that installed it did not come to its end'
}

@test "the installed certificate is not one for the host: CRITICAL" {
	set_variable MAILCOW_HOSTNAME cloud.example.com
	found 2 'cloud.example.com'
}

@test "an SNI directory whose names cannot be read: CRITICAL, and named" {
	mkdir "$SSL/a.example.org"
	cp "$SSL"/*.pem "$SSL/a.example.org/"
	truncate -s 1M "$SSL/a.example.org/domains"
	run --separate-stderr "$PROGRAM" -c "$CONF" check
	[ "$status" -eq 2 ]
	grep -qE '^SNI directories +CRITICAL .*a\.example\.org' <<<"$output"
}

@test "what cannot be written is not well, as table and as JSON" {
	local format
	for format in '' --json; do
		status=0
		# shellcheck disable=SC2086 # one option or none
		"$PROGRAM" -c "$CONF" check $format >/dev/full || status=$?
		[ "$status" -eq 3 ]
	done
}
