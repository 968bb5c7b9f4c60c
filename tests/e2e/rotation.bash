# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what others read; the lab's variables, and bats' own
#
# rotation - a new key comes to the mail host while somebody delivers mail by DANE, and not otherwise. After deploy and
# dane; tests/demo-dane uses it as well.
#
# certdeploy's resolver is told at once of each change of the zone. The sender's is not, and was asked just before:
# of all caches in the world it is the last to know.

# The TTL of the TLSA records, in seconds.
ROTATION_TTL=5
# How many attempts each part of a rotation lasts at least.
ROTATION_ATTEMPTS=10
# What sends, while it does.
MAILS=

rotation_setup_file() {
	DNS_DIR=$(mktemp -d /var/tmp/rotation-dns.XXXXXX)
	DNS_PORT=$((LAB_PORT_BASE + ${1:-2360}))
	RESOLVER=127.$((LAB_PORT_BASE / 256)).$((LAB_PORT_BASE % 256)).53
	SENDER=$LAB_PROJECT-sender
	export DNS_DIR DNS_PORT RESOLVER SENDER
	dns up "$DNS_PORT"
	dns resolver "$RESOLVER"
}

rotation_teardown_file() {
	dns down
	put_lab_tree_back
}

# rotation_setup auto|off: the old key is served, its record is published, and mail is being delivered
rotation_setup() {
	VERIFY=on DANE=$1
	use_lab_tree '[dane]' "resolver = 127.0.0.1:$((DNS_PORT + 1))"
	put_installed "$PAIRS/current"
	everybody_reloads
	OLD=$(tlsa "$PAIRS/current/leaf.pem")
	NEW=$(tlsa "$PAIRS/new/leaf.pem")
	EVENTS=$BATS_TEST_TMPDIR/events
	COUNT=$BATS_TEST_TMPDIR/count
	: >"$EVENTS"
	publish_records "$OLD"
	await senders_know "$OLD"
	sender_start
	event 'The old key is served, and its TLSA record published.'
	go_on delivered
}

rotation_teardown() {
	"$LAB_DOCKER" rm --force "$SENDER" >/dev/null 2>&1 || :
	[ -z "$MAILS" ] || wait "$MAILS" || :
}

# --- the two rotations ---

rotate_with_gate() {
	event 'A new key is staged. certdeploy holds it, and names the record to publish.'
	put_generation "$PAIRS/new"
	held 'no TLSA record at _25._tcp.mail.example.org matches the new key' "publish '_25._tcp.mail.example.org. IN $NEW'"
	go_on delivered

	await sender_has_just_asked
	event 'It is published, beside the old one. certdeploy waits until all caches must have it.'
	publish_records "$OLD" "$NEW"
	held "'_25._tcp.mail.example.org. IN $NEW' was first seen"
	await is_let_through
	expect 0 deployed "'_25._tcp.mail.example.org. IN $OLD' is of the key before this one: remove it after"
	installed_is "$PAIRS/new"
	event 'certdeploy has installed the new key, and the mail servers serve it.'
	go_on delivered

	await is_past "$(sed -n 's/.*: remove it after \([0-9TZ:-]*\).*/\1/p' <<<"$output")"
	event 'The record of the old key is removed, when certdeploy said.'
	publish_records "$NEW"
	await senders_know "$NEW"
	event "The sender's resolver has forgotten it."
	go_on delivered
	sender_stop
}

rotate_without_gate() {
	event 'A new key is staged. certdeploy installs it at once.'
	put_generation "$PAIRS/new"
	deployed "$PAIRS/new"
	go_on failed

	await sender_has_just_asked
	event 'Its record is published, beside the old one.'
	publish_records "$OLD" "$NEW"
	await senders_know "$OLD" "$NEW"
	event "The sender's resolver has it; the sender remembers the old answer a second longer."
	go_on delivered
	sender_stop
}

is_let_through() {
	certdeploy
	[ "$status" -ne 75 ]
}

is_past() { # TIME
	[[ $(date -u +%Y-%m-%dT%H:%M:%SZ) > $1 ]]
}

# --- the zone ---

# publish_records RECORD...: the TLSA records of the mail host, which is the postfix that certdeploy reloads
publish_records() {
	local host
	host=$("$LAB_DOCKER" inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' \
		"$(container postfix-mailcow)")
	printf '%s\n' '@ MX 10 mail' "mail A $host" "${@/#/_25._tcp.mail $ROTATION_TTL }" | dns zone
	dns flush
}

# What the sender's resolver says of the records.
sender_asks() {
	dig @"$RESOLVER" +time=1 +tries=1 +noall +answer +noclass _25._tcp.mail.example.org TLSA
}

# senders_know RECORD...: that these are there, and no others
senders_know() {
	[ "$(sender_asks | awk '{ $1 = $2 = ""; print }' | bare)" = "$(printf '%s\n' "$@" | bare)" ]
}

# As it does not matter how a program writes them.
bare() {
	tr -d ' ' | tr '[:upper:]' '[:lower:]' | sort
}

sender_has_just_asked() {
	[ "$(sender_asks | awk '{ print $2; exit }')" = $ROTATION_TTL ]
}

# --- the mail ---

# They have numbers: to 1@example.org, 2@example.org, ...
sender_start() {
	"$LAB_DOCKER" run --detach --name "$SENDER" --network host --env "RESOLVER=$RESOLVER" \
		--volume "$LAB/containers:/lab:ro" lab-mail /lab/sender >/dev/null
	await sender_is_ready
	# shellcheck disable=SC2016 # the variables are the container's
	"$LAB_DOCKER" exec "$SENDER" bash -euc 'number=0
		until [ -e /enough ]; do
			number=$((number + 1))
			echo "Subject: $number" | sendmail -f sender@example.net "$number@example.org"
			sleep 0.1
		done
		echo $number' >"$COUNT" 3>&- &
	MAILS=$!
}

sender_is_ready() {
	"$LAB_DOCKER" exec "$SENDER" test -S /var/spool/postfix/public/pickup
}

# All that was sent has been tried.
sender_stop() {
	"$LAB_DOCKER" exec "$SENDER" touch /enough
	wait "$MAILS"
	MAILS=
	await all_are_tried
	event 'The end.'
}

all_are_tried() {
	[ "$(attempts | wc -l)" -eq "$(cat "$COUNT")" ]
}

# What became of each mail when it was tried, one a line: WHEN sent|deferred|bounced NUMBER (WHY). The sender would
# try again after minutes only.
attempts() {
	"$LAB_DOCKER" logs --timestamps "$SENDER" 2>&1 |
		sed -nE 's/^([^ ]*)Z .* postfix\/smtp\[.*: to=<([0-9]+)@example\.org>.* status=([a-z]+) (.*)/\1 \3 \2 \4/p'
}

# How many mails were sent with the certificate found to match, says the sender.
verified() {
	"$LAB_DOCKER" logs "$SENDER" 2>&1 |
		awk '/: Verified TLS connection established to mail\.example\.org\[/ { n++ } END { print n + 0 }'
}

delivered() {
	attempts | awk '$2 == "sent" { n++ } END { print n + 0 }'
}

failed() {
	attempts | awk '$2 != "sent" { n++ } END { print n + 0 }'
}

# go_on delivered|failed: until there are some more of those
go_on() {
	await has_more "$1" $(($("$1") + ROTATION_ATTEMPTS))
}

has_more() {
	[ "$("$1")" -ge "$2" ]
}

# --- the account of it ---

# event TEXT: from now on
event() {
	printf '\n-- %s\n' "$*"
	printf '%s %s\n' "$(date -u +%Y-%m-%dT%H:%M:%S.%N)" "$*" >>"$EVENTS"
}

# The events, and what became of the mails between each and the next.
timeline() {
	printf '%8s %9s %7s  %s\n' SECONDS DELIVERED FAILED 'FROM THEN ON'
	{
		sed -E 's/^([^ ]*) /\1 event /' "$EVENTS"
		attempts
	} | sort | awk '
		function seconds(when, part) { split(substr(when, 12), part, ":"); return part[1] * 3600 + part[2] * 60 + part[3] }
		function show() { if (text) printf "%8.1f %9d %7d  %s\n", at, sent, other, text }
		$2 == "event" {
			show()
			if (!began) began = seconds($1)
			at = seconds($1) - began
			if (at < 0) at += 86400
			sent = other = 0
			text = substr($0, length($1) + 8)
			next
		}
		$2 == "sent" { sent++; next }
		{ other++ }
		END { show() }'
}
