#!/usr/bin/env bats
# certpush check: every link of the way, the real ones and broken ones, and what monitoring gets to see.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push
load served

PROBE_FORM='\.20[0-9]{6}T[0-9]{6}Z-ffffffff[0-9a-f]{8}\.part'

setup() {
	push_setup
	ENDPOINT=127.0.0.1:$LAB_PORT_IMAPS
	configure verify.verify=on "verify.endpoint=$ENDPOINT"
	lineage npm-5 "$PAIRS/mail"
	FINGERPRINT=$(fingerprint "$PAIRS/mail/leaf.pem")
	pushed_since "$PAIRS/mail" '3 hours ago'
}

# check [OPTION...]: its table is in $output
check() {
	run --separate-stderr timeout -k 5 50 "$PROGRAM" -c "$CONF" check "$@"
}

# row NAME STATUS [TEXT]: the table has this row
row() {
	grep -E "^$1  +$2  " <<<"$output" | grep -F -- "${3:-}" || {
		printf 'no row %s: %s %s; output:\n%s\n' "$1" "$2" "${3:-}" "$output" >&2
		return 1
	}
}

# only_broken NAME STATUS-WORD TEXT: that row is the only one that is not OK, but for those not reached, and for the
# key, which is another one where it is another certificate that is served
only_broken() {
	local besides=
	row "$@"
	[ "$1" != served ] || besides='; /^key  */d'
	[ "$(sed "1,2d$besides" <<<"$output" | grep -cE '^[a-z ]+  +(WARNING|CRITICAL|UNKNOWN)  ')" -eq 1 ]
	[[ ${lines[0]} == "CERTPUSH $2 - $1: "*"$3"* ]]
}

# not_reached NAME...
not_reached() {
	local name
	for name; do
		row "$name" - 'not reached'
	done
}

# --- all is well ---

@test "all is well: one line for monitoring, a table, status 0" {
	check
	expect 0
	[[ ${lines[0]} =~ ^'CERTPUSH OK - npm-5: '[0-9.]+' days left, served by '$ENDPOINT' | days_left='[0-9.]+';'[0-9.]+':;'[0-9.]+':'$ ]]
	[ "${lines[1]}" = 'CHECK      STATUS  DETAIL' ]
	row lineage OK 'npm-5: mail.example.org'
	row pair OK 'EC P-384'
	row 'days left' OK
	row settings OK "$LAB_IDENTITY"
	row sshd OK "127.0.0.1 port $PORT answers"
	row 'host key' OK
	row login OK "as $LAB_SSH_USER"
	row sftp OK
	row staging OK 'made, renamed and removed'
	row served OK "$ENDPOINT serves it"
	[ "${#lines[@]}" -eq 12 ]
	[ -z "$stderr" ]
}

@test "it changes nothing that lasts" {
	local before
	before=$(snapshot "$STATE" "$LIVE" "$ARCHIVE")
	check
	expect 0
	staging_is_empty
	same "$before" "$(snapshot "$STATE" "$LIVE" "$ARCHIVE")"
	rm -r "$STATE"
	check
	[ ! -e "$STATE" ]
}

@test "a run that is under way is no hindrance" {
	exec 8<"$STATE"
	flock 8
	check
	expect 0
	exec 8<&-
}

# --- the certificate ---

@test "without a lineage for the host it is CRITICAL, and the rest is looked at all the same" {
	rm -r "$LIVE/npm-5"
	lineage npm-7 "$PAIRS/other"
	check
	expect 2 'no lineage covers mail.example.org'
	only_broken lineage CRITICAL 'no lineage covers mail.example.org'
	[[ ${lines[0]} != *'|'* ]]
	row pair - 'no lineage'
	row 'days left' - 'no lineage'
	row staging OK
	row served - 'no lineage'
	grep -q "^lineage: .*certpush list" <<<"$output"
}

@test "an expired certificate is CRITICAL" {
	rm -r "$LIVE/npm-5"
	lineage npm-5 "$PAIRS/expired"
	check
	expect 2
	only_broken lineage CRITICAL expired
	configure source.lineage=npm-5
	check
	expect 2
	only_broken lineage CRITICAL expired
}

@test "one that an unreadable lineage was not compared with is a WARNING" {
	mkdir "$LIVE/npm-9"
	echo rubbish >"$LIVE/npm-9/fullchain.pem"
	check
	expect 1
	only_broken lineage WARNING 'npm-5 was chosen without a look at another'
}

@test "a pair that would not be pushed is CRITICAL" {
	openssl pkey -in "$PAIRS/mail/privkey.pem" -aes256 -passout pass:secret -out "$ARCHIVE/npm-5/privkey1.pem"
	check
	expect 2
	only_broken pair CRITICAL passphrase
}

@test "few days left are a WARNING, very few CRITICAL, by default measured by the lifetime" {
	local pair=$BATS_TEST_TMPDIR/short
	make_pair "$pair" from='70 days ago' to='20 days'
	lineage npm-5 "$pair"
	configure verify.verify=off
	check
	expect 1
	only_broken 'days left' WARNING 'warning below 22.5, critical below 7.5'
	[[ ${lines[0]} =~ \|' days_left='(20|19\.9)(\.0)?';22.5:;7.5:'$ ]]
	make_pair "$pair" from='84 days ago' to='6 days'
	lineage npm-5 "$pair"
	check
	expect 2
	only_broken 'days left' CRITICAL 'warning below 22.5, critical below 7.5'
}

@test "the thresholds on the command line count" {
	configure verify.verify=off
	check --warning 1000 --critical 0.5
	expect 1
	only_broken 'days left' WARNING 'warning below 1000.0, critical below 0.5'
	[[ ${lines[0]} == *';1000.0:;0.5:' ]]
	check --critical 500
	expect 2
	only_broken 'days left' CRITICAL 'critical below 500'
}

# --- the way there ---

@test "an SSH key that is not there is CRITICAL" {
	configure target.identity=/nonexistent
	check
	expect 2
	only_broken settings CRITICAL /nonexistent
	not_reached sshd 'host key' login sftp staging
	row served OK
}

@test "a host where no sshd listens is CRITICAL" {
	configure "target.port=$(free_port)"
	check
	expect 2
	only_broken sshd CRITICAL 'Connection refused'
	row settings OK
	not_reached 'host key' login sftp staging
	grep -q '^sshd: .*ufw' <<<"$output"
}

@test "so is one that never answers, within the time that there is" {
	odd_server silent
	configure limits.handshake_timeout=1s
	check
	expect 2
	only_broken sshd CRITICAL 'the time was up while shaking hands'
}

@test "a server that is not to be trusted with numbers cannot make some up" {
	odd_server close 'x | days_left=99999\r\n'
	check
	expect 2
	only_broken sshd CRITICAL 'x / days_left=99999'
	[ "$(tr -cd '|' <<<"$output")" = '|' ]
}

@test "an unknown host key is CRITICAL, and nothing is tried behind it" {
	: >"$KNOWN_HOSTS"
	check
	expect 2
	only_broken 'host key' CRITICAL "$(key_fingerprint ed25519)"
	row sshd OK
	not_reached login sftp staging
	staging_is_empty
}

@test "so is a changed one" {
	: >"$KNOWN_HOSTS"
	know_host 127.0.0.1 "$PORT" ed25519 "$KEYS/stranger.pub"
	check
	expect 2
	only_broken 'host key' CRITICAL "$(key_fingerprint ed25519)"
	not_reached login
}

@test "and one that is not the pinned one" {
	configure "target.host_key=$(ssh-keygen -lf "$KEYS/stranger.pub" | cut -d' ' -f2)"
	check
	expect 2
	only_broken 'host key' CRITICAL ''
	row sshd OK
}

@test "a refused login is CRITICAL" {
	configure "target.identity=$KEYS/stranger"
	check
	expect 2
	only_broken login CRITICAL 'the server does not accept the key'
	row 'host key' OK
	not_reached sftp staging
}

@test "a key that is forced to something else than SFTP is CRITICAL" {
	forcing 'echo hello'
	check
	expect 2
	only_broken sftp CRITICAL ''
	row login OK
	not_reached staging
}

# --- staging ---

@test "a staging directory that may not be written to is CRITICAL" {
	chmod 0500 "$STAGING"
	check
	expect 2
	only_broken staging CRITICAL 'permission denied'
	row sftp OK
	staging_is_empty
}

@test "so is a missing one" {
	configure target.staging=missing
	check
	expect 2
	only_broken staging CRITICAL 'the staging directory does not exist'
}

@test "so is one in which nothing may be renamed, and the probe is removed" {
	forcing "internal-sftp -popen,write,close,fsync,mkdir,remove,rmdir -u0077 -d$STAGING"
	check
	expect 2
	only_broken staging CRITICAL 'rename'
	staging_is_empty
}

@test "with the write-only key the probe stays, as a part that certdeploy removes after an hour" {
	local left
	forcing "internal-sftp -p$WRITE_ONLY -u0077 -d$STAGING"
	check
	expect 0
	row staging OK 'left to certdeploy to remove'
	no_generation
	left=$(ls -A "$STAGING")
	[[ $left =~ ^$PROBE_FORM$ ]]
	[ -z "$(ls -A "$STAGING/$left")" ]
}

@test "probes that stay are in nobody's way: not the next check's, not a push's" {
	forcing "internal-sftp -p$WRITE_ONLY -u0077 -d$STAGING"
	# More than there are names for pushes of the same second.
	for _ in {1..12}; do
		check
		expect 0
	done
	[ "$(find "$STAGING" -mindepth 1 | wc -l)" -eq 12 ]
	[ "$(find "$STAGING" -mindepth 1 -printf '%f\n' | grep -cxE "$PROBE_FORM")" -eq 12 ]
	certpush --force
	expect 0 "pushed $FINGERPRINT"
	[ "$(generations | wc -l)" -eq 1 ]
}

@test "certdeploy takes no probe for a certificate" {
	local deploy root=$BATS_TEST_TMPDIR/mailcow
	deploy=$(dirname "$PROGRAM")/certdeploy
	forcing "internal-sftp -p$WRITE_ONLY -u0077 -d$STAGING"
	check
	expect 0
	mkdir -p "$root/data/assets/ssl"
	cp "$LAB_MAILCOW/mailcow.conf" "$root/"
	printf '[mailcow]\nroot = %s\nhostname = mail.example.org\ndocker = %s\n[dane]\ndane = off\n[staging]\ndir = %s\n[state]\ndir = %s\n' \
		"$root" "$LAB_DOCKER" "$STAGING" "$BATS_TEST_TMPDIR/deploy-state" >"$BATS_TEST_TMPDIR/deploy.conf"
	run timeout -k 5 50 "$deploy" -c "$BATS_TEST_TMPDIR/deploy.conf"
	expect 66 "$STAGING"
	not_said ffffffff
	[ "$(find "$STAGING" -mindepth 1 | wc -l)" -eq 1 ]
}

# --- what is served ---

@test "another certificate served long after the push is CRITICAL" {
	lineage npm-5 "$PAIRS/newer"
	pushed_since "$PAIRS/newer" '3 hours ago'
	check
	expect 2
	only_broken served CRITICAL "pushed 3 hours ago, $ENDPOINT serves $FINGERPRINT"
	grep -q "^served: .*certdeploy check" <<<"$output"
}

@test "shortly after the push it is a WARNING: a rotation is under way" {
	lineage npm-5 "$PAIRS/newer"
	pushed_since "$PAIRS/newer" '12 minutes ago'
	check
	expect 1
	only_broken served WARNING "rotation under way: pushed 12 minutes ago, $ENDPOINT serves $FINGERPRINT"
	configure verify.propagate_within=10m
	check
	expect 2
}

@test "a certificate that was never pushed is CRITICAL, even a new one" {
	local pair=$BATS_TEST_TMPDIR/fresh
	rm "$STATE/last_fp"
	lineage npm-5 "$PAIRS/newer"
	check
	expect 2
	only_broken served CRITICAL "issued 24 hours ago and not pushed, $ENDPOINT serves $FINGERPRINT"
	make_pair "$pair" from='2 hours ago'
	lineage npm-5 "$pair"
	check
	expect 2
	only_broken served CRITICAL 'issued 2 hours ago and not pushed'
}

@test "one that replaces another and waits for the timer is a WARNING for a day, then CRITICAL" {
	local pair=$BATS_TEST_TMPDIR/fresh
	make_pair "$pair" from='2 hours ago'
	lineage npm-5 "$pair"
	check
	expect 1
	only_broken served WARNING 'rotation under way: issued 2 hours ago and not pushed'
	lineage npm-5 "$PAIRS/newer"
	check
	expect 2
	only_broken served CRITICAL 'issued 24 hours ago and not pushed'
}

@test "another key than the one served is a WARNING, with the TLSA record to publish; the same key is none" {
	local pair=$BATS_TEST_TMPDIR/same-key hash
	make_pair "$pair" from='2 hours ago' key_of="$PAIRS/mail"
	lineage npm-5 "$pair"
	check
	expect 1
	[ "$(grep -c '^key ' <<<"$output")" -eq 0 ]
	lineage npm-5 "$PAIRS/newer"
	pushed_since "$PAIRS/newer" '12 minutes ago'
	check
	expect 1
	hash=$(openssl x509 -noout -pubkey -in "$PAIRS/newer/leaf.pem" | openssl pkey -pubin -outform DER |
		sha256sum | cut -d' ' -f1)
	row key WARNING "'3 1 1 $hash'"
	grep -q '^key: .*beside the old one' <<<"$output"
}

@test "what is served although it is not known to have been pushed is in order" {
	rm "$STATE/last_fp"
	check
	expect 0
	row served OK
}

@test "a mail host that cannot be asked is shown, and no failure" {
	configure "verify.endpoint=127.0.0.1:$(free_port)"
	check
	expect 0
	row served - 'cannot be asked: '
	[[ ${lines[0]} =~ ^'CERTPUSH OK - npm-5: '[0-9.]+' days left | ' ]]
}

@test "verify = off: it is not asked" {
	configure verify.verify=off
	traced -e trace=connect -- check
	expect 0
	row served - 'not asked: verify = off'
	not_asked
}

# --- the rest ---

@test "a configuration that cannot be read is UNKNOWN, and the error is on standard error as usual" {
	echo 'endpiont = x' >>"$CONF"
	check
	expect 3
	[[ $output == 'CERTPUSH UNKNOWN - '*"push.conf:"*"endpiont"* ]]
	[[ $stderr == *'certpush: error: '*endpiont* ]]
	check --json
	expect 3
	[ "$(jq -r '.status, .version' <<<"$output" | tr '\n' ' ')" = 'UNKNOWN 1 ' ]
}

@test "--json prints one object with the same findings" {
	lineage npm-5 "$PAIRS/newer"
	pushed_since "$PAIRS/newer" '3 hours ago'
	: >"$KNOWN_HOSTS"
	check --json --warning 100
	expect 2
	jq -e . >/dev/null <<<"$output"
	[ "$(jq -r .version <<<"$output")" = 1 ]
	[ "$(jq -r .status <<<"$output")" = CRITICAL ]
	[[ $(jq -r .summary <<<"$output") == 'host key: '* ]]
	[ "$(jq -r .hostname <<<"$output")" = mail.example.org ]
	[ "$(jq -r .certificate.lineage <<<"$output")" = npm-5 ]
	[ "$(jq -r .certificate.sha256 <<<"$output")" = "$(fingerprint "$PAIRS/newer/leaf.pem")" ]
	[ "$(jq -r '.certificate | .warning == 100, (.days_left < 41 and .days_left > 39), (.critical | type)' <<<"$output" |
		tr '\n' ' ')" = 'true true number ' ]
	[ "$(jq -r .pushed <<<"$output")" = "$(date -u -r "$STATE/last_fp" +%FT%TZ)" ]
	[ "$(jq -r .endpoint <<<"$output")" = "$ENDPOINT" ]
	[ "$(jq -r .served_sha256 <<<"$output")" = "$FINGERPRINT" ]
	[ "$(jq -r '[.checks[] | .check + "=" + (.status // "null")] | join(" ")' <<<"$output")" = \
		'lineage=OK pair=OK days left=WARNING settings=OK sshd=OK host key=CRITICAL login=null sftp=null staging=null served=CRITICAL key=WARNING' ]
	[[ $(jq -r '.checks[] | select(.check == "host key") | .advice' <<<"$output") == *ssh-keygen* ]]
}

@test "options that are not its own are usage errors" {
	check --dry-run
	expect 64
	check --force
	expect 64
	check --warning soon
	expect 64
	check --warning 7 --critical 21
	expect 64
	certpush --warning 7
	expect 64 '--warning does not go with run'
}

@test "SIGTERM on the way ends it by that signal, without a verdict" {
	odd_server silent
	begin strace -qq -o "$TRACE" -e trace=poll,recvfrom -- check
	await grep -q POLLIN "$TRACE"
	kill -TERM "$(ps -o pid= --ppid "$JOB")"
	finish
	expect 143
	not_said CERTPUSH
}
