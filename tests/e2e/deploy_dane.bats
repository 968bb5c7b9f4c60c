#!/usr/bin/env bats
# A new key is installed when those who send mail by DANE know of its TLSA record, and not before: a real signed
# zone, a real validating resolver.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone
load deploy
load dane

setup_file() {
	deploy_setup_file
	dane_setup_file 2320
}

teardown_file() {
	dns down
}

setup() {
	deploy_setup
	export DANE=auto
	at_resolver
	OLD=$(tlsa "$PAIRS/current/leaf.pem")
	NEW=$(tlsa "$PAIRS/new/leaf.pem")
}

# at_resolver [LINE...]: the configuration, with these lines in section [dane]; an answer is waited for so long, or $PATIENCE
at_resolver() {
	configure '[dane]' "resolver = 127.0.0.1:$((DNS_PORT + 1))" "timeout = ${PATIENCE:-30s}" "$@"
}

# --- what is deployed ---

@test "the same key: deployed without asking DNS" {
	publish "_25._tcp.mail $NEW"
	configure '[dane]' "resolver = 127.0.0.1:1"
	put_generation "$PAIRS/renewed"
	deployed "$PAIRS/renewed"
	[ ! -e "$STATE/tlsa.json" ]
}

@test "no TLSA record at all: deployed" {
	publish
	put_generation "$PAIRS/new"
	deployed "$PAIRS/new"
}

@test "TLSA records that no mail server can use: deployed" {
	publish "_25._tcp.mail $(tlsa "$PAIRS/current/leaf.pem" 1 1 1)" "_25._tcp.mail TLSA 3 1 9 00aa" \
		'_25._tcp.mail TLSA 3 1 1 00aa'
	put_generation "$PAIRS/new"
	deployed "$PAIRS/new"
}

@test "nothing usable is installed: deployed, as there is nothing to keep" {
	publish "_25._tcp.mail $OLD"
	rm "$SSL/key.pem"
	put_generation "$PAIRS/new"
	deployed "$PAIRS/new"
}

@test "dane = off: deployed, whatever is published" {
	publish "_25._tcp.mail $OLD"
	export DANE=off
	at_resolver
	put_generation "$PAIRS/new"
	deployed "$PAIRS/new"
}

# --- what is held ---

@test "no record of the new key: held, with the record to publish and since when" {
	local since line
	publish "_25._tcp.mail $OLD"
	put_generation "$PAIRS/new"
	held 'no TLSA record at _25._tcp.mail.example.org matches the new key' "publish '_25._tcp.mail.example.org. IN $NEW'"
	since=$(grep -o 'held since [0-9TZ:-]*' <<<"$output")
	at 100 held "$since"
	# A person who looks is told the same.
	certdeploy check
	expect 1 'TLSA of the staged key' "publish '_25._tcp.mail.example.org. IN $NEW'" "$since"
	line="_25._tcp.mail.example.org. IN $NEW"
	certdeploy tlsa
	expect 1 "_25._tcp.mail.example.org. IN $OLD ; matches: installed" 'validated (AD)' "$line" "$since"
}

@test "the record has just been published: held until the TTL of those before it has passed, then deployed" {
	publish "_25._tcp.mail 3600 $OLD"
	put_generation "$PAIRS/new"
	held "publish '"
	# The new set's own TTL does not count: caches may have the old one for an hour.
	publish "_25._tcp.mail 60 $OLD" "_25._tcp.mail 60 $NEW"
	held "'_25._tcp.mail.example.org. IN $NEW' was first seen" 'until'
	at 3600 held 'was first seen'
	at 3615 deployed "$PAIRS/new"
	grep -qF "'_25._tcp.mail.example.org. IN $OLD' is of the key before this one: remove it after" <<<"$output"
}

@test "a record that was there at the first look: held for its own TTL" {
	publish "_25._tcp.mail 600 $OLD" "_25._tcp.mail 600 $NEW"
	put_generation "$PAIRS/new"
	held 'was first seen'
	# Ten more, as all count whole seconds and keep what they have a little longer.
	jq -e '[.. | .known_from? // empty] | length == 2' "$STATE/tlsa.json"
	jq -e '[.. | objects | select(has("known_from")) | .known_from - .first_seen] | unique == [610]' "$STATE/tlsa.json"
	at 590 held 'was first seen'
	at 615 deployed "$PAIRS/new"
}

@test "the first records there have ever been: the new key's need not wait" {
	publish "_25._tcp.mail $(tlsa "$PAIRS/newer/leaf.pem")"
	put_generation "$PAIRS/new"
	held "publish '"
	publish
	export DANE=require
	at_resolver
	at 400 held 'dane = require'
	publish "_25._tcp.mail 86400 $NEW"
	at 800 deployed "$PAIRS/new"
}

@test "a TTL that was lowered before the record came: the caches that have the longer one count" {
	publish "_25._tcp.mail 7200 $OLD"
	put_generation "$PAIRS/new"
	held "publish '"
	publish "_25._tcp.mail 60 $OLD"
	at 1000 held "publish '"
	publish "_25._tcp.mail 60 $OLD" "_25._tcp.mail 60 $NEW"
	at 1100 held 'was first seen'
	at 8100 held 'was first seen'
	at 8220 deployed "$PAIRS/new"
}

@test "a record that was taken away and came again is new" {
	publish "_25._tcp.mail 600 $OLD" "_25._tcp.mail 600 $NEW"
	put_generation "$PAIRS/new"
	held 'was first seen'
	publish "_25._tcp.mail 600 $OLD"
	at 300 held "publish '"
	publish "_25._tcp.mail 600 $OLD" "_25._tcp.mail 600 $NEW"
	at 615 held 'was first seen'
	at 1300 deployed "$PAIRS/new"
}

# --- records ---

# pins CERTIFICATE USAGE SELECTOR MATCHING: a record of that kind lets the new pair through
pins() {
	publish "_25._tcp.mail 60 $OLD" "_25._tcp.mail 60 $(tlsa "$@")"
	put_installed "$PAIRS/current"
	rm -rf "$STATE"
	put_generation "$PAIRS/new"
	held "_25._tcp.mail.example.org. IN TLSA $2 $3 $4 " 'was first seen'
	at 71 deployed "$PAIRS/new"
}

@test "every kind of record that pins the leaf or its issuer counts, and the issuer's root does not" {
	local kind
	for kind in '3 1 1' '3 1 2' '3 0 1' '3 0 2' '3 0 0' '3 1 0'; do
		# shellcheck disable=SC2086 # three numbers
		pins "$PAIRS/new/leaf.pem" $kind
	done
	for kind in '2 1 1' '2 0 1' '2 1 2' '2 0 2'; do
		# shellcheck disable=SC2086
		pins "$AUTHORITY/issuer.pem" $kind
	done
	publish "_25._tcp.mail $(tlsa "$AUTHORITY/root.pem" 2 1 1)"
	put_installed "$PAIRS/current"
	put_generation "$PAIRS/new"
	held "publish '"
	# An issuer's record is none of a leaf's, nor the other way round.
	publish "_25._tcp.mail $(tlsa "$AUTHORITY/issuer.pem" 3 1 1)" "_25._tcp.mail $(tlsa "$PAIRS/new/leaf.pem" 2 1 1)"
	held "publish '"
}

@test "two hundred records, which no datagram holds" {
	local records=() i
	for i in {1..200}; do
		records+=("_25._tcp.mail 60 TLSA 3 1 1 $(printf %064d "$i")")
	done
	publish "${records[@]}"
	put_generation "$PAIRS/new"
	held "publish '"
	publish "${records[@]}" "_25._tcp.mail 60 $NEW"
	held 'was first seen'
	at 71 deployed "$PAIRS/new"
}

@test "records behind aliases, of their own name and of the host's" {
	publish '_25._tcp.mail CNAME one' 'one CNAME two' "two $OLD"
	put_generation "$PAIRS/new"
	held 'no TLSA record at _25._tcp.mail.example.org matches'
	printf '%s\n' 'mail CNAME host' 'host A 192.0.2.25' "_25._tcp.host $OLD" "_25._tcp.mail $NEW" | dns zone
	dns flush
	held 'no TLSA record at _25._tcp.host.example.org matches'
	# Where the host's own name has none, those of the alias count.
	printf '%s\n' 'mail CNAME host' 'host A 192.0.2.25' "_25._tcp.mail $OLD" | dns zone
	dns flush
	held 'no TLSA record at _25._tcp.mail.example.org matches'
}

@test "several names and ports: each of them counts" {
	at_resolver 'names = mail.example.org mx.example.org' 'ports = 25 465'
	publish "_25._tcp.mail 60 $OLD" "_25._tcp.mail 60 $NEW" 'mx A 192.0.2.25' "_465._tcp.mx 60 $OLD"
	put_generation "$PAIRS/new"
	held 'no TLSA record at _465._tcp.mx.example.org matches' "'_25._tcp.mail.example.org. IN $NEW' was first seen"
	publish "_25._tcp.mail 60 $OLD" "_25._tcp.mail 60 $NEW" 'mx A 192.0.2.25' "_465._tcp.mx 60 $NEW"
	held '_465._tcp.mx.example.org' 'was first seen'
	at 71 deployed "$PAIRS/new"
}

# --- a resolver that fails ---

@test "the answer cannot be had: held, and deployed when it can" {
	publish "_25._tcp.mail 60 $NEW"
	put_generation "$PAIRS/new"
	dns expire
	dns flush
	held '_25._tcp.mail.example.org cannot be looked up: SERVFAIL'
	publish "_25._tcp.mail 60 $NEW"
	PATIENCE=2s at_resolver
	dns stall nsd
	held '_25._tcp.mail.example.org cannot be looked up'
	dns resume nsd
	dns stall unbound
	held '_25._tcp.mail.example.org cannot be looked up: no answer from the resolver'
	dns resume unbound
	at_resolver
	publish "_25._tcp.mail 60 $NEW"
	held 'was first seen'
	at 71 deployed "$PAIRS/new"
}

@test "nobody listens where the resolver is to be: held" {
	configure '[dane]' 'resolver = 127.0.0.1:1'
	put_generation "$PAIRS/new"
	held 'cannot be looked up: no answer from the resolver'
	configure '[dane]' 'resolver = [::1]:1'
	held 'cannot be looked up: no answer from the resolver'
}

@test "a resolver whose answer makes no sense: held" {
	publish "_25._tcp.mail 60 $NEW"
	put_generation "$PAIRS/new"
	at_resolver 'names = bogus.example'
	held '_25._tcp.bogus.example cannot be looked up: SERVFAIL'
	at_resolver 'names = broken.example'
	held '_25._tcp.broken.example cannot be looked up: SERVFAIL'
}

# --- time presses ---

# expiring: what is installed has three days left
expiring() {
	make_pair "$BATS_TEST_TMPDIR/expiring" from='80 days ago' to='3 days'
	put_installed "$BATS_TEST_TMPDIR/expiring"
}

@test "auto: days before the installed one expires the new one is deployed, with an error" {
	expiring
	publish "_25._tcp.mail $OLD"
	at_resolver 'hold_until_days_left = 2'
	put_generation "$PAIRS/new"
	held "publish '"
	at_resolver
	certdeploy
	expect 69 "installed although no TLSA record at _25._tcp.mail.example.org matches the new key" "IN $NEW'"
	installed_is "$PAIRS/new"
	staging_is_empty
	certdeploy
	expect 0 'nothing to do'
	certdeploy check
	expect 2 'TLSA of the installed key' "publish '_25._tcp.mail.example.org. IN $NEW'"
}

@test "auto: and so it is when DNS fails all the time" {
	expiring
	configure '[dane]' 'resolver = 127.0.0.1:1'
	put_generation "$PAIRS/new"
	certdeploy
	expect 69 'installed although' 'cannot be looked up'
	installed_is "$PAIRS/new"
}

@test "require: held whatever the time" {
	expiring
	publish "_25._tcp.mail $OLD"
	export DANE=require
	at_resolver
	put_generation "$PAIRS/new"
	held "publish '"
}

@test "require: no records, unusable ones and ones that nobody has validated hold" {
	export DANE=require
	at_resolver
	publish
	put_generation "$PAIRS/new"
	held 'there is no usable TLSA record at _25._tcp.mail.example.org, and dane = require'
	publish "_25._tcp.mail $(tlsa "$PAIRS/new/leaf.pem" 1 1 1)"
	held 'there is no usable TLSA record'
	at_resolver 'names = mail.insecure.example'
	printf '%s\n' 'mail A 192.0.2.25' "_25._tcp.mail 60 $NEW" | dns zone insecure.example
	held 'the resolver has not validated the TLSA records at _25._tcp.mail.insecure.example'
	export DANE=auto
	at_resolver 'names = mail.insecure.example'
	at 71 deployed "$PAIRS/new"
}

# --- runs ---

@test "a dry run says that it would be held, and notes nothing" {
	publish "_25._tcp.mail $OLD"
	put_generation "$PAIRS/new"
	certdeploy -n
	expect 0 'dry run: would hold' "publish '"
	[ ! -e "$STATE" ]
}

@test "--force does not get past it" {
	publish "_25._tcp.mail $OLD"
	put_generation "$PAIRS/new"
	certdeploy --force
	expect 75 "publish '"
	installed_is "$PAIRS/current"
}

@test "another key is staged while one is held: it waits for its own record" {
	local newer
	newer=$(tlsa "$PAIRS/newer/leaf.pem")
	publish "_25._tcp.mail 60 $OLD" "_25._tcp.mail 60 $NEW"
	put_generation "$PAIRS/new"
	held 'was first seen'
	put_generation "$PAIRS/newer" 11
	at 71 held "publish '_25._tcp.mail.example.org. IN $newer'"
	# The old key again, newly certified: nothing to wait for.
	make_pair "$BATS_TEST_TMPDIR/again" from='1 hour ago' key_of="$PAIRS/current"
	put_generation "$BATS_TEST_TMPDIR/again" 12
	at 71 deployed "$BATS_TEST_TMPDIR/again"
}

@test "notes that cannot be understood, or are from the future: the time is counted anew" {
	publish "_25._tcp.mail 600 $OLD" "_25._tcp.mail 600 $NEW"
	put_generation "$PAIRS/new"
	at 100000 held 'was first seen'
	held 'was first seen' "$(date -u +%Y-%m-%dT%H:)"
	for text in '' '[]' '{"names":7}' '{"names":{"_25._tcp.mail.example.org":{"records":[]}}}' '{'; do
		printf '%s' "$text" >"$STATE/tlsa.json"
		held 'was first seen'
	done
	at 615 deployed "$PAIRS/new"
}

@test "the notes cannot be written: held, and nothing is changed" {
	publish "_25._tcp.mail 60 $OLD"
	put_generation "$PAIRS/new"
	mkdir -p "$STATE/tlsa.json/in-the-way"
	certdeploy
	[ "$status" -ne 0 ]
	installed_is "$PAIRS/current"
	expect "$status" "$STATE" tlsa.json
}

@test "what is wrong in section [dane] is named" {
	local line
	for line in 'dane = yes' 'resolver = unbound' 'names = a_b..c' 'ports = 25,465' 'hold_until_days_left = soon' \
		'ports = 0' 'timeout = 10' 'ports = 25 26 27 28 29' 'names = a.b b.b c.b d.b e.b f.b g.b h.b i.b'; do
		at_resolver "$line"
		certdeploy
		expect 78 "$CONF" "${line%% *}"
	done
}

@test "a signal while the resolver is silent ends the run and all its processes, and nothing is changed" {
	publish "_25._tcp.mail $OLD"
	put_generation "$PAIRS/new"
	local pid
	configure '[dane]' "resolver = 127.0.0.1:$((DNS_PORT + 1))" 'timeout = 10m'
	dns stall unbound
	"$PROGRAM" -c "$CONF" >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
	pid=$!
	await datagram_was_sent
	kill -TERM "$pid"
	wait "$pid" || status=$?
	await no_process_left
	dns resume unbound
	[ "$status" -eq 143 ]
	installed_is "$PAIRS/current"
	publish
	deployed "$PAIRS/new"
}

no_process_left() {
	! pgrep -f -- "$PROGRAM -c $CONF" >/dev/null
}

# Is there a question in the resolver's queue that it does not read?
datagram_was_sent() {
	ss -Hlun "sport = :$((DNS_PORT + 1))" | awk '$2 > 0 { found = 1 } END { exit !found }'
}
