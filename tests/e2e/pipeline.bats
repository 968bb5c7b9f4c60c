#!/usr/bin/env bats
# The whole way of a certificate: renewed by certbot, pushed, deployed, and served by all nine endpoints.

load push

setup_file() {
	push_setup_file
	DEPLOY=$(realpath "${CERTSYNC_BUILD:-$TOP/build}/certdeploy")
	export DEPLOY
	[ -x "$DEPLOY" ]
	# What is installed and served now is not this lineage's newest.
	"$TOP/tests/lab/lab" renew >&2
	find "$LAB_INCOMING" -mindepth 1 -delete
}

setup() {
	push_setup
	use_archive "$LAB/npm/letsencrypt/archive"
	STATE=$BATS_FILE_TMPDIR/push-state
	configure "source.live_dir=$LAB_LIVE" "source.hostname=$LAB_HOSTNAME" "target.port=$LAB_SSH_PORT" \
		"target.known_hosts=$LAB_KNOWN_HOSTS" "state.dir=$STATE"
	DEPLOY_CONF=$BATS_TEST_TMPDIR/deploy.conf
	cat >"$DEPLOY_CONF" <<-CONF
		[mailcow]
		root = $LAB_MAILCOW
		docker = $LAB_DOCKER
		[staging]
		dir = $LAB_INCOMING
		[state]
		dir = $BATS_FILE_TMPDIR/deploy-state
	CONF
}

certdeploy() {
	run timeout -k 5 60 "$DEPLOY" -c "$DEPLOY_CONF"
}

current() {
	fingerprint "$LAB_LIVE/$LAB_LINEAGE/cert.pem"
}

# served PROTOCOL PORT: the fingerprint of what this endpoint shows; PROTOCOL for STARTTLS, - for TLS at once
served() {
	local starttls=()
	[ "$1" = - ] || starttls=(-starttls "$1")
	timeout 5 openssl s_client -connect "127.0.0.1:$2" -servername "$LAB_HOSTNAME" "${starttls[@]}" \
		</dev/null 2>/dev/null | openssl x509 -noout -fingerprint -sha256 2>/dev/null | sed 's/.*=//'
}

# How many of the nine serve this fingerprint.
count_serving() {
	local protocol port
	while read -r protocol port; do
		served "$protocol" "$port" &
	done <<-ENDPOINTS | grep -cxF "$1"
		smtp $LAB_PORT_SMTP
		smtp $LAB_PORT_SUBMISSION
		- $LAB_PORT_SMTPS
		imap $LAB_PORT_IMAP
		- $LAB_PORT_IMAPS
		pop3 $LAB_PORT_POP3
		- $LAB_PORT_POP3S
		sieve $LAB_PORT_SIEVE
		- $LAB_PORT_HTTPS
	ENDPOINTS
}

all_nine_serve() {
	[ "$(count_serving "$1")" -eq 9 ]
}

# the_whole_way: push what is in live/, deploy it, and see it served
the_whole_way() {
	local wanted generation
	wanted=$(current)
	[ "$(count_serving "$wanted")" -eq 0 ]
	certpush
	expect 0 "pushed $wanted to 127.0.0.1 as "
	generation=$(sed -n 's/.* as //p' <<<"$output")
	cmp "$LAB_INCOMING/$generation/fullchain.pem" "$LAB_LIVE/$LAB_LINEAGE/fullchain.pem"
	[ "$(count_serving "$wanted")" -eq 0 ]
	certdeploy
	expect 0 "deployed $wanted"
	await all_nine_serve "$wanted"
	cmp "$LAB_SSL/cert.pem" "$LAB_LIVE/$LAB_LINEAGE/fullchain.pem"
	cmp "$LAB_SSL/key.pem" "$LAB_LIVE/$LAB_LINEAGE/privkey.pem"
	[ -z "$(ls -A "$LAB_INCOMING")" ]
}

nothing_more_to_do() {
	certpush
	expect 0 'nothing to do' "$(current)"
	certdeploy
	expect 0 'nothing to do'
}

@test "a certificate goes from certbot's tree to all nine endpoints, and then there is nothing to do" {
	the_whole_way
	nothing_more_to_do
}

@test "a renewed certificate, with a new key, goes the same way, and then there is nothing to do" {
	local before
	before=$(current)
	cp "$LAB_LIVE/$LAB_LINEAGE/privkey.pem" "$BATS_TEST_TMPDIR/old-key"
	"$TOP/tests/lab/lab" renew >&2
	[ "$(current)" != "$before" ]
	! cmp -s "$LAB_LIVE/$LAB_LINEAGE/privkey.pem" "$BATS_TEST_TMPDIR/old-key" || return 1
	the_whole_way
	nothing_more_to_do
}

@test "after the mail host's staging was lost, --force brings the certificate there again, and nothing changes" {
	certpush --force
	expect 0 "pushed $(current)"
	certdeploy
	expect 0 'nothing to do'
	all_nine_serve "$(current)"
	[ -z "$(ls -A "$LAB_INCOMING")" ]
}
