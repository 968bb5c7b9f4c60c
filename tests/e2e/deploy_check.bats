#!/usr/bin/env bats
# certdeploy check: what it finds on the lab's real services, and the exit status of a monitoring plugin.

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

teardown() {
	if [ -n "${stopped:-}" ]; then
		"$LAB_DOCKER" start "$stopped" >/dev/null
		await is_answering HTTPS
	fi
	find "$LAB_SSL" -mindepth 1 -maxdepth 1 -type d -exec rm -r {} +
}

teardown_file() {
	put_lab_tree_back
}

# check [OPTION...]: its standard output alone, which is what monitoring reads
check() {
	run --separate-stderr "$PROGRAM" -c "$CONF" check "$@"
}

# first_line STATUS PATTERN: the exit status, and what the first line is like
first_line() {
	[ "$status" -eq "$1" ] || {
		printf 'exit status %s, expected %s; output:\n%s\n' "$status" "$1" "$output" >&2
		return 1
	}
	grep -qE -- "$2" <<<"${lines[0]}" || {
		printf 'first line: %s\n' "${lines[0]}" >&2
		return 1
	}
}

# row NAME STATUS [TEXT]: there is a row of that name with that status
row() {
	awk -v n="$1" -v s="$2" -v t="${3:-}" 'index($0, n) == 1 && index($0, " " s " ") && index($0, t) { found = 1 }
		END { exit !found }' <<<"$output" || {
		printf 'no row %s %s %s in:\n%s\n' "$1" "$2" "${3:-}" "$output" >&2
		return 1
	}
}

@test "all well: OK, with the days left and the endpoints as performance data; nothing is changed" {
	local before
	put_generation "$PAIRS/current"
	mkdir "$STATE"
	before=$(snapshot "$SSL" "$STAGING" "$STATE")
	check
	first_line 0 "^CERTDEPLOY OK - 9 of 9 endpoints serve $(fingerprint "$SSL/cert.pem"), 59\.[0-9] days left \| days_left=59\.[0-9];[0-9.]+:;[0-9.]+: endpoints_ok=9;;9:;0;9 endpoints_total=9$"
	row staged OK 'which is installed'
	row installed OK "$(fingerprint "$SSL/cert.pem")"
	row "imaps 127.0.0.1:$LAB_PORT_IMAPS" OK 'serves it, TLSv1.3'
	row dovecot OK 'a reload ends open sessions'
	row mailcow.conf OK
	same "$before" "$(snapshot "$SSL" "$STAGING" "$STATE")"
}

@test "what it says of the nine endpoints is what openssl s_client sees, for RSA and ECDSA" {
	local pair
	for pair in rsa ec; do
		make_pair "$BATS_TEST_TMPDIR/$pair" key="$([ $pair = rsa ] && echo rsa:2048 || echo ec:P-384)" \
			from="$([ $pair = rsa ] && echo 3 || echo 2) hours ago"
		put_generation "$BATS_TEST_TMPDIR/$pair"
		certdeploy
		expect 0 '9 of 9 endpoints serve it'
		check --json
		[ "$status" -eq 0 ]
		diff <(jq -r '.endpoints[] | "\(.port) \(.with_sni.sha256)"' <<<"$output" | sort) \
			<("$TOP/tests/lab/lab" endpoints | awk '{ print $2, $3 }' | sort)
		[ "$(jq '.endpoints | map(select(.with_sni.sha256 == .without_sni.sha256)) | length' <<<"$output")" -eq 9 ]
	done
}

@test "JSON says the same, in the documented shape" {
	check --json
	[ "$status" -eq 0 ]
	jq -e --arg f "$(fingerprint "$SSL/cert.pem")" '.version == 1 and .status == "OK" and .hostname == "mail.example.org" and
		.installed.sha256 == $f and (.installed.days_left > 50) and (.endpoints | length) == 9 and
		all(.endpoints[]; .state == "current" and .with_sni.sha256 == $f and .with_sni.spki_sha256 == $in.spki)' \
		--argjson in "{\"spki\": \"$(openssl x509 -in "$SSL/cert.pem" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1)\"}" <<<"$output"
}

@test "a stale endpoint is CRITICAL and named" {
	put_installed "$PAIRS/new"
	check
	first_line 2 '^CERTDEPLOY CRITICAL - '
	row "https 127.0.0.1:$LAB_PORT_HTTPS" CRITICAL "serves $(fingerprint "$PAIRS/current/leaf.pem")"
	grep -q 'Run certdeploy' <<<"$output"
}

@test "an endpoint that is down is CRITICAL and named" {
	stopped=$(container nginx-mailcow)
	"$LAB_DOCKER" stop --time 1 "$stopped" >/dev/null
	check
	first_line 2 '^CERTDEPLOY CRITICAL - https 127.0.0.1:[0-9]+: .*endpoints_ok=8'
}

@test "the thresholds are those that were asked for" {
	check --warning 70 --critical 7
	first_line 1 '^CERTDEPLOY WARNING - days left: 59\.[0-9] until .*days_left=59\.[0-9];70.0:;7.0:'
	check --warning 80 --critical 70
	first_line 2 '^CERTDEPLOY CRITICAL - days left'
	check --warning 7 --critical 21
	[ "$status" -eq 64 ]
}

@test "with ca_file a chain that does not end there is CRITICAL, and one that does is verified" {
	configure '[mailcow]' 'hostname = mail.example.org' '[staging]' "ca_file = $AUTHORITY/root.pem"
	check
	first_line 0 '^CERTDEPLOY OK'
	row smtp OK 'chain verified'
	configure '[mailcow]' 'hostname = mail.example.org' '[staging]' "ca_file = $LAB_ACME_ROOT"
	check
	first_line 2 'the chain cannot be verified'
}

@test "what was refused, what waits and a stale SNI directory are WARNINGs; one that shadows is CRITICAL" {
	put_generation "$PAIRS/old"
	check
	first_line 1 '^CERTDEPLOY WARNING - staged: refused: '
	rm -r "$GENERATION"
	mkdir "$LAB_SSL/mail.example.org"
	cp "$PAIRS/old/fullchain.pem" "$LAB_SSL/mail.example.org/cert.pem"
	cp "$PAIRS/old/privkey.pem" "$LAB_SSL/mail.example.org/key.pem"
	echo mail.example.org >"$LAB_SSL/mail.example.org/domains"
	check
	first_line 1 '^CERTDEPLOY WARNING - SNI directory mail.example.org: '
	echo 'mail.example.org other.example.net' >"$LAB_SSL/mail.example.org/domains"
	check
	first_line 2 '^CERTDEPLOY CRITICAL - SNI directory mail.example.org: '
}

@test "mailcow's own ACME client is a WARNING" {
	ROOT=$BATS_TEST_TMPDIR/mailcow
	cp "$PAIRS/current/fullchain.pem" "$ROOT/data/assets/ssl/cert.pem"
	cp "$PAIRS/current/privkey.pem" "$ROOT/data/assets/ssl/key.pem"
	set_variable SKIP_LETS_ENCRYPT n
	configure '[mailcow]' 'hostname = mail.example.org'
	check
	first_line 1 '^CERTDEPLOY WARNING - mailcow.conf: SKIP_LETS_ENCRYPT is not y'
}

@test "no installed pair is CRITICAL; a configuration that cannot be read is UNKNOWN" {
	ROOT=$BATS_TEST_TMPDIR/mailcow
	rm -f "$ROOT"/data/assets/ssl/*.pem
	configure '[mailcow]' 'hostname = mail.example.org'
	check
	first_line 2 '^CERTDEPLOY CRITICAL - installed: no usable pair is in '
	echo nonsense >>"$CONF"
	check
	first_line 3 '^CERTDEPLOY UNKNOWN - .*deploy.conf:'
}
