#!/usr/bin/env bats
# Closing the loop: what certpush does about what the mail host serves, asked from the real dovecot.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push
load served

setup() {
	push_setup
	ENDPOINT=127.0.0.1:$LAB_PORT_IMAPS
	configure verify.verify=on "verify.endpoint=$ENDPOINT"
	lineage npm-5 "$PAIRS/mail"
	SERVED=$(fingerprint "$PAIRS/mail/leaf.pem")
}

# The certificate that is served is not the source's any more: the source has the newer one.
renew() {
	lineage npm-5 "$PAIRS/newer"
	FINGERPRINT=$(fingerprint "$PAIRS/newer/leaf.pem")
}

# nothing_done SNAPSHOT: nothing was pushed, and the state directory is as it was
nothing_done() {
	staging_is_empty
	same "$1" "$(snapshot "$STATE")"
}

# --- served ---

@test "what was pushed is served: nothing to do" {
	local before
	pushed_since "$PAIRS/mail" '3 hours ago'
	before=$(snapshot "$STATE")
	certpush
	expect 0 "certpush: nothing to do: npm-5 is served by $ENDPOINT ($SERVED)"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	nothing_done "$before"
}

@test "both clients with SNI and without are asked, and the name asked for is hostname" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	tls_server -cert "$PAIRS/old/fullchain.pem" -key "$PAIRS/old/privkey.pem" \
		-servername mail.example.org -cert2 "$PAIRS/mail/leaf.pem" -key2 "$PAIRS/mail/privkey.pem"
	configure "verify.endpoint=$ENDPOINT"
	certpush
	expect 69 "but $ENDPOINT serves $(fingerprint "$PAIRS/old/leaf.pem") without SNI, issued"
}

@test "one that only clients with SNI get is found as well" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	tls_server -cert "$PAIRS/mail/leaf.pem" -key "$PAIRS/mail/privkey.pem" \
		-servername mail.example.org -cert2 "$PAIRS/old/leaf.pem" -key2 "$PAIRS/old/privkey.pem"
	configure "verify.endpoint=$ENDPOINT"
	certpush
	expect 69 "but $ENDPOINT serves $(fingerprint "$PAIRS/old/leaf.pem") with SNI, issued"
}

@test "without an endpoint it is port 993 of hostname that is asked" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	printf '127.0.0.1 mail.example.org\n' >"$BATS_TEST_TMPDIR/hosts"
	configure verify.endpoint=
	with_hosts "$BATS_TEST_TMPDIR/hosts"
	expect 0 'mail.example.org:993 cannot be asked which certificate it serves' 'nothing to do'
}

# --- not served ---

@test "pushed a while ago and not served: an error, and it is pushed again" {
	local issued since
	renew
	pushed_since "$PAIRS/newer" '3 hours ago'
	since=$(date -u -r "$STATE/last_fp" +%FT%TZ)
	issued=$(date -u -d "$(openssl x509 -noout -startdate -in "$PAIRS/mail/leaf.pem" | cut -d= -f2)" +%FT%TZ)
	certpush
	expect 69 "certpush: pushed $FINGERPRINT to 127.0.0.1 as " \
		"certpush: error: npm-5 was pushed 3 hours ago ($since), but $ENDPOINT serves $SERVED, issued $issued; it was pushed again" "certdeploy check"
	pushed "$PAIRS/newer"
}

@test "after that it has its time again" {
	renew
	pushed_since "$PAIRS/newer" '3 hours ago'
	certpush
	expect 69
	certpush
	expect 0 "nothing to do: npm-5 was pushed " " ago, not served yet by $ENDPOINT"
	[ "$(generations | wc -l)" -eq 1 ]
}

@test "pushed a moment ago and not served yet: nothing to do" {
	local before
	renew
	pushed_since "$PAIRS/newer" '12 minutes ago'
	before=$(snapshot "$STATE")
	certpush
	expect 0 "certpush: nothing to do: npm-5 was pushed 12 minutes ago, not served yet by $ENDPOINT"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	nothing_done "$before"
}

@test "how long it may take is propagate_within" {
	renew
	pushed_since "$PAIRS/newer" '12 minutes ago'
	configure verify.propagate_within=10m
	certpush
	expect 69 'pushed 12 minutes ago'
	pushed "$PAIRS/newer"
}

@test "a last_fp from the future is no reason to wait for that day" {
	renew
	pushed_since "$PAIRS/newer" '3 days'
	certpush
	expect 69
	pushed "$PAIRS/newer"
}

@test "what is served is asked only in a run with nothing to push" {
	renew
	traced -e trace=connect -- -v
	expect 0 "pushed $FINGERPRINT"
	not_asked
	pushed_since "$PAIRS/newer" '3 hours ago'
	traced -e trace=connect -- --force
	expect 0 "pushed $FINGERPRINT"
	not_asked
}

@test "where pushing again fails, its failure is the result, and both are said" {
	renew
	pushed_since "$PAIRS/newer" '3 hours ago'
	configure "target.port=$(free_port)"
	know_host 127.0.0.1 "${SETTING[target.port]}" ed25519
	certpush
	expect 75 "error: npm-5 was pushed 3 hours ago" 'Connection refused'
	[ "$(fingerprint "$PAIRS/newer/leaf.pem")" = "$(cat "$STATE/last_fp")" ]
	[ "$(stat -c %Y "$STATE/last_fp")" -lt "$(($(date +%s) - 3600))" ]
}

# --- it cannot be asked ---

@test "a mail host that refuses the connection is a notice, and nothing to do" {
	local before endpoint
	pushed_since "$PAIRS/mail" '3 hours ago'
	endpoint=127.0.0.1:$(free_port)
	configure "verify.endpoint=$endpoint"
	before=$(snapshot "$STATE")
	certpush
	expect 0 "certpush: $endpoint cannot be asked which certificate it serves: " 'verify = off' \
		"certpush: nothing to do: npm-5 was pushed before ($SERVED)"
	nothing_done "$before"
}

@test "so is one whose name does not resolve" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	configure verify.endpoint=nowhere.invalid
	certpush
	expect 0 'nowhere.invalid:993 cannot be asked which certificate it serves: ' 'nothing to do: npm-5'
}

@test "so is one that speaks no TLS" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	configure "verify.endpoint=127.0.0.1:$LAB_SSH_PORT"
	certpush
	expect 0 "127.0.0.1:$LAB_SSH_PORT cannot be asked which certificate it serves: " 'nothing to do: npm-5'
}

@test "one that never speaks is waited for as long as timeout says, and no longer" {
	local waited
	pushed_since "$PAIRS/mail" '3 hours ago'
	odd_server silent
	configure "verify.endpoint=127.0.0.1:$PORT" verify.timeout=700ms
	traced -e trace=poll --
	expect 0 "127.0.0.1:$PORT cannot be asked which certificate it serves: " 'nothing to do: npm-5'
	# It looks for a signal every 200 ms: what waits for the server waits four times, however slow the machine is.
	waited=$(grep -cE 'POLLIN\}\], 2, [0-9]+' "$TRACE")
	echo "waited $waited times"
	((waited >= 1 && waited <= 5))
}

# --- off, and dry ---

@test "verify = off: no connection is opened when there is nothing to push" {
	renew
	pushed_since "$PAIRS/newer" '3 hours ago'
	configure verify.verify=off
	traced -e trace=network --
	expect 0 "certpush: nothing to do: npm-5 was pushed before ($FINGERPRINT)"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	no_network
	configure verify.verify=on
	traced -e trace=network --
	expect 69
	grep -q 'connect(' "$TRACE"
}

# no_network: no socket was opened; unlike no_socket content with a trace that is empty
no_network() {
	[ -e "$TRACE" ]
	! grep -E 'socket\(|connect\(' "$TRACE" >&2
}

@test "a dry run asks, says what it would do, and changes nothing" {
	local before
	renew
	pushed_since "$PAIRS/newer" '3 hours ago'
	before=$(snapshot "$STATE")
	certpush --dry-run
	expect 0 "certpush: dry run: npm-5 was pushed 3 hours ago" "but $ENDPOINT serves $SERVED" \
		"certpush: dry run: would push npm-5 ($FINGERPRINT) to "
	not_said error
	nothing_done "$before"
	lineage npm-5 "$PAIRS/mail"
	pushed_since "$PAIRS/mail" '3 hours ago'
	certpush --dry-run
	expect 0 "nothing to do: npm-5 is served by $ENDPOINT"
}

@test "SIGTERM while the mail host is asked ends the run at once" {
	pushed_since "$PAIRS/mail" '3 hours ago'
	odd_server silent
	configure "verify.endpoint=127.0.0.1:$PORT" verify.timeout=40s
	begin strace -qq -o "$TRACE" -e trace=sendto,write,poll --
	await grep -q POLLIN "$TRACE"
	kill -TERM "$(ps -o pid= --ppid "$JOB")"
	finish
	expect 143
	staging_is_empty
}

# --- settings ---

@test "settings in [verify] that are none are refused with file and line" {
	local line
	for line in 'verify = yes' 'endpoint = mail.example.org:imaps' 'endpoint = [::1' \
		'propagate_within = 30' 'timeout = soon'; do
		configure verify.verify=- verify.endpoint=-
		echo "$line" >>"$CONF"
		certpush
		expect 78 "push.conf:$(wc -l <"$CONF"): ${line%% *}"
	done
}

@test "no process of a run is left when it ends" {
	local options
	for options in '' '' -n check; do
		# shellcheck disable=SC2086 # none is no argument
		run "$TOP/tests/e2e/orphans.py" "$PROGRAM" -c "$CONF" $options
		expect 0
	done
}
