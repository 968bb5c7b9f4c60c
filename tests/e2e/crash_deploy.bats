#!/usr/bin/env bats
# certdeploy is killed at each of its system calls, and has each of them fail: the next run mends it.

# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2317 # each test is a process of its own; try_all calls what is defined here

load deploy
load crash
load dane

bats_require_minimum_version 1.5.0

setup_file() {
	deploy_setup_file
	crash_setup_file
	dane_setup_file 2340
	# Every service loads it, and no client gets a handshake: see deploy_verify.bats.
	[ -e "$PAIRS/unusable" ] || make_pair "$PAIRS/unusable" key=ec:secp256k1 from='1 day ago'
	[ -e "$PAIRS/unusable-too" ] || make_pair "$PAIRS/unusable-too" key=ec:secp256k1 from='1 hour ago'
}

setup() {
	deploy_setup
	mkdir "$STATE"
	start_stand_in
	configure
	INSTALLED=$PAIRS/current NEW=$PAIRS/new
	# For a name of its own, as mailcow's ACME client leaves one.
	mkdir "$SSL/mail.example.org"
	cp -a "$SSL"/*.pem "$SSL/mail.example.org"
	echo mail.example.org >"$SSL/mail.example.org/domains"
}

teardown() {
	kill "$stand_in"
	for mounted in "$STATE" "$SSL"; do
		! mountpoint -q "$mounted" || umount "$mounted"
	done
}

teardown_file() {
	dns down
	put_lab_tree_back
}

# Services and a docker command that answer at once and keep no state from one run to the next.
start_stand_in() {
	python3 "$TOP/tests/e2e/stand_in.py" "$SSL/cert.pem" "$SSL/key.pem" "$BATS_TEST_TMPDIR" \
		>"$BATS_TEST_TMPDIR/stand_in.log" 2>&1 3>&- 4>&- &
	stand_in=$!
	await test -e "$BATS_TEST_TMPDIR/control"
	cat "$BATS_TEST_TMPDIR/ports" >>"$ROOT/mailcow.conf"
	DOCKER=$BATS_TEST_TMPDIR/docker
	cat >"$DOCKER" <<-STAND_IN
		#!/bin/bash
		ask() {
			exec {control}<>/dev/tcp/127.0.0.1/$(cat "$BATS_TEST_TMPDIR/control")
			echo "\$@" >&"\$control"
			read -r answer <&"\$control"
		}
		case "\$*" in
		ps*) printf '%s\trunning\t%s-mailcow\tFalse\t\n' postfix postfix dovecot dovecot nginx nginx ;;
		exec*reload* | restart*) ask load "\$2" && exit "\$answer" ;;
		stage*) ask load "\$2" "\$3/fullchain.pem" "\$3/privkey.pem" && exit "\$answer" ;;
		loaded) ask loaded && echo "\$answer" ;;
		esac
	STAND_IN
	chmod 0755 "$DOCKER"
}

set_stage() {
	local service
	for service in postfix dovecot nginx; do
		"$DOCKER" stage "$service" "$INSTALLED"
	done
}

faulty() {
	"$@" "$PROGRAM" -c "$CONF"
}

normal() {
	"$PROGRAM" -c "$CONF"
}

is_pair() { # PAIR CERT KEY
	cmp -s "$1/fullchain.pem" "$2" && cmp -s "$1/privkey.pem" "$3"
}

is_kept() { # PAIR
	is_pair "$1" "$STATE"/previous/[!.]*/fullchain.pem "$STATE"/previous/[!.]*/privkey.pem
}

# Killed between the two renames it leaves no pair, but then there is more to come; the old one is never lost.
unharmed() { # STATUS
	keys_are_kept "${SCENE[@]}" || return 1
	is_pair "$INSTALLED" "$SSL/cert.pem" "$SSL/key.pem" && return
	is_kept "$PAIRS/current" || { echo 'the previous pair is lost'; return 1; }
	is_pair "$NEW" "$SSL/cert.pem" "$SSL/key.pem" || [ "$1" -eq "$KILLED" ] || is_still_cut_off || {
		echo 'what is installed is no pair'
		return 1
	}
}

# It was no pair when the run began, and what it was to become is there.
is_still_cut_off() {
	[ -n "${CUT_OFF:-}" ] && cmp -s "$SSL/.cert.pem.new" "$CUT_OFF/fullchain.pem" &&
		cmp -s "$SSL/key.pem" "$CUT_OFF/privkey.pem"
}

loaded_is() { # PAIR
	[ "$("$DOCKER" loaded)" = "$(fingerprint "$1/leaf.pem" | tr -d : | tr A-F a-f)" ]
}

is_in_step() { # PAIR
	local dir=$SSL/mail.example.org
	[ ! -d "$dir" ] || is_pair "$1" "$dir/cert.pem" "$dir/key.pem" || { echo "$dir has another pair"; return 1; }
}

# has_become PAIR: it is what is installed and loaded; the pair before it is kept, and nothing else
has_become() {
	keys_are_kept "${SCENE[@]}" && installed_is "$1" && is_in_step "$1" && nothing_left_over &&
		[ "$(stat -c %a "$SSL/cert.pem" "$SSL/key.pem" | paste -sd' ')" = '644 600' ] &&
		is_kept "$PAIRS/current" && [ "$(find "$STATE/previous" -mindepth 1 -maxdepth 1 -printf x)" = x ] &&
		loaded_is "$1"
}

mended() {
	has_become "$NEW" && staging_is_empty && [ "$(ls -A "$STATE")" = previous ]
}

# --- a new pair ---

without_a_look() {
	put_generation "$PAIRS/new"
	scene_is_set "$SSL" "$STAGING" "$STATE"
}

@test "certdeploy killed at a system call: the next run brings it to its end" {
	without_a_look
	try_all kill 'certdeploy without verification, killed'
}

@test "certdeploy with a system call that fails: the next run brings it to its end" {
	without_a_look
	try_all fail 'certdeploy without verification, failed'
}

# --- a new key ---

# before_the_gate [LINE...]: a pair with a new key is staged, and the old key's TLSA record and these are published
before_the_gate() {
	put_generation "$PAIRS/new"
	publish "_25._tcp.mail 60 $(tlsa "$PAIRS/current/leaf.pem")" "$@"
	export DANE=auto
	configure '[dane]' "resolver = 127.0.0.1:$((DNS_PORT + 1))" 'timeout = 30s'
}

# Whatever fails: what is to be held is.
@test "certdeploy that holds a new key is killed, or has a system call that fails: it is held" {
	before_the_gate
	scene_is_set "$SSL" "$STAGING" "$STATE"
	unharmed() { [ "$1" -ne 0 ] && installed_is "$PAIRS/current" && [ -d "$GENERATION" ]; }
	mended() {
		installed_is "$PAIRS/current" && nothing_left_over && [ -d "$GENERATION" ] &&
			[ "$(ls -A "$STATE")" = tlsa.json ] && jq -e '.held.since' "$STATE/tlsa.json" >/dev/null
	}
	NORMAL_STATUS=75
	try_all kill 'certdeploy that holds a key, killed'
	try_all fail 'certdeploy that holds a key, failed'
}

@test "certdeploy that lets a new key pass is killed, or has a system call that fails: the next run brings it to its end" {
	before_the_gate "_25._tcp.mail 60 $(tlsa "$PAIRS/new/leaf.pem")"
	"$PROGRAM" -c "$CONF" || true
	sed -i -E 's/"known_from": [0-9]+/"known_from": 1/' "$STATE/tlsa.json"
	scene_is_set "$SSL" "$STAGING" "$STATE"
	mended() {
		has_become "$NEW" && staging_is_empty && [ -e "$STATE/tlsa.json" ] && [ "$(find "$STATE" -mindepth 1 -maxdepth 1 -printf x)" = xx ]
	}
	try_all kill 'certdeploy that lets a key pass, killed'
	try_all fail 'certdeploy that lets a key pass, failed'
}

# One endpoint of each service: it is the same with all nine, and takes three times as long.
configure_look() {
	VERIFY=on
	configure '[verify]' 'settle = 300ms' 'endpoints = submission=off smtps=off imap=off pop3=off pop3s=off sieve=off'
}

with_a_look() {
	put_generation "$PAIRS/new"
	configure_look
	scene_is_set "$SSL" "$STAGING" "$STATE"
}

@test "certdeploy killed while it looks at what is served" {
	with_a_look
	try_all kill 'certdeploy, killed'
}

@test "certdeploy with a system call that fails while it looks at what is served" {
	with_a_look
	try_all fail 'certdeploy, failed'
}

# Each run takes seconds; as the last one left them, some services serve the one pair and some the other.
@test "certdeploy killed while it has the real services load the pair" {
	CRASH_EVERY=$((CRASH_EVERY * 8))
	DOCKER=$LAB_DOCKER
	VERIFY=on use_lab_tree
	put_installed "$PAIRS/current"
	everybody_reloads
	put_generation "$PAIRS/new"
	scene_is_set "$SSL" "$STAGING" "$STATE"
	set_stage() { :; }
	loaded_is() { all_serve "$(fingerprint "$1/leaf.pem")"; }
	try_all kill 'certdeploy with the real services, killed'
}

# --- what killed runs left ---

# cut_off PAIR N: kill a run at its N-th rename, that of PAIR's cert.pem, with its key.pem in place
cut_off() {
	CUT_OFF=$1
	set_scene
	traced "$BATS_TEST_TMPDIR/trace" -e trace=renameat -e "inject=renameat:signal=KILL:when=$2" --
	[ "$status" -eq "$KILLED" ]
	is_still_cut_off
	scene_is_set "${SCENE[@]}"
}

@test "a run that completes one killed between the two renames has a system call that fails" {
	with_a_look
	cut_off "$PAIRS/new" 4
	try_all fail 'certdeploy after a cut-off run, failed'
}

@test "a run that completes one killed between the two renames is killed itself" {
	with_a_look
	cut_off "$PAIRS/new" 4
	try_all kill 'certdeploy after a cut-off run, killed'
}

# --- a bad pair ---

with_a_bad_pair() {
	put_generation "$PAIRS/unusable"
	configure_look
	NEW=$PAIRS/unusable
	NORMAL_STATUS=69
	scene_is_set "$SSL" "$STAGING" "$STATE"
	mended() {
		has_become "$PAIRS/current" && [[ $(ls -A "$STATE") == $'previous\nrejected-'+([[:xdigit:]]) ]] &&
			[ -d "$GENERATION" ]
	}
}

@test "certdeploy killed as it rolls back" {
	with_a_bad_pair
	try_all kill 'certdeploy with a bad pair, killed'
}

@test "certdeploy with a system call that fails as it rolls back" {
	with_a_bad_pair
	try_all fail 'certdeploy with a bad pair, failed'
}

@test "a run that completes a rollback killed between the two renames has a system call that fails" {
	with_a_bad_pair
	cut_off "$PAIRS/current" 10
	try_all fail 'certdeploy after a cut-off rollback, failed'
}

# is_killed_at TEXT: the next run is, by the docker command whose arguments have that in it
is_killed_at() {
	sed -i "2i case \"\$*\" in *$1*) kill -KILL \"\$PPID\" && exit ;; esac" "$DOCKER"
	certdeploy
	[ "$status" -eq "$KILLED" ]
	sed -i 2d "$DOCKER"
}

# fails_to sync|rename: a run that cannot install the last pair that it is to. Its record is in the state directory but
# not known to be there for good, or its key.pem cannot be renamed.
fails_to() {
	local call nth trace=$BATS_TEST_TMPDIR/trace
	set_scene
	traced "$trace" -y -e trace=fsync,renameat --
	case $1 in
	sync)
		call=fsync
		nth=$(awk -v state="<$STATE>" '/^fsync/ && ++n && index($0, state) { last = n }
			/^renameat.*"cert.pem"/ { wanted = last } END { print wanted }' "$trace") ;;
	rename)
		call=renameat
		nth=$(awk -v key="<$SSL>, \".key.pem.new\"" '/^renameat/ && ++n && index($0, key) { last = n }
			END { print last }' "$trace") ;;
	esac
	set_scene
	traced "$trace" -e trace=$call -e inject=$call:error=EIO:when="$nth" --
	expect 73 "$2"
}

@test "the record of a rollback cannot be synced: the next run rolls back" {
	with_a_bad_pair
	fails_to sync 'in the state directory: cannot sync'
	installed_is "$PAIRS/unusable"
	certdeploy
	expect 69 "$(fingerprint "$PAIRS/unusable/leaf.pem") was rolled back: $(fingerprint "$PAIRS/current/leaf.pem")"
	has_become "$PAIRS/current"
}

@test "the pair that is rolled back to cannot be put in its place: the next run does it" {
	with_a_bad_pair
	fails_to rename 'key.pem: cannot replace'
	installed_is "$PAIRS/unusable"
	certdeploy
	expect 69 "$(fingerprint "$PAIRS/unusable/leaf.pem") was rolled back: $(fingerprint "$PAIRS/current/leaf.pem")"
	has_become "$PAIRS/current"
}

@test "the record of a pair after one that was never proved cannot be synced: the pair that was proved is kept" {
	with_a_bad_pair
	set_scene
	is_killed_at reload
	put_generation "$PAIRS/unusable-too" 11
	scene_is_set "$SSL" "$STAGING" "$STATE"
	# the second one, and not the rollback of it
	sed -i '2i case "\$*" in *reload*) kill -KILL "\$PPID" && exit ;; esac' "$DOCKER"
	fails_to sync 'in the state directory: cannot sync'
	sed -i 2d "$DOCKER"
	installed_is "$PAIRS/unusable"
	certdeploy
	expect 69 "$(fingerprint "$PAIRS/unusable-too/leaf.pem") was rolled back: $(fingerprint "$PAIRS/current/leaf.pem")"
	has_become "$PAIRS/current"
}

@test "two bad pairs in a row, with a run killed in between: the pair that was proved is put back" {
	with_a_bad_pair
	set_scene
	is_killed_at reload
	installed_is "$PAIRS/unusable"
	put_generation "$PAIRS/unusable-too" 11
	certdeploy
	expect 69 "$(fingerprint "$PAIRS/unusable-too/leaf.pem") was rolled back: $(fingerprint "$PAIRS/current/leaf.pem")"
	has_become "$PAIRS/current"
}

@test "a good pair after a bad one whose run was killed: the pair that was proved is kept" {
	with_a_bad_pair
	make_pair "$BATS_TEST_TMPDIR/latest" from='1 hour ago'
	set_scene
	is_killed_at reload
	put_generation "$BATS_TEST_TMPDIR/latest" 11
	certdeploy
	expect 0 "deployed $(fingerprint "$BATS_TEST_TMPDIR/latest/leaf.pem")"
	has_become "$BATS_TEST_TMPDIR/latest"
}

@test "the same pair once more, with --force: the one before it is kept" {
	with_a_look
	set_scene
	normal
	put_flat "$PAIRS/new"
	certdeploy --force
	expect 0 deployed
	has_become "$PAIRS/new"
}

# --- other mishaps ---

@test "containers that are not found: the pair, which is not to blame, is kept and loaded by the next run" {
	with_a_look
	set_scene
	sed -i '2i case "\$*" in ps*) exit ;; esac' "$DOCKER"
	certdeploy
	expect 69 'postfix-mailcow: there is no container of this service' '0 of 3 endpoints serve'
	[[ $output != *'rolled back'* ]]
	installed_is "$PAIRS/new"
	sed -i 2d "$DOCKER"
	certdeploy
	expect 0 "$(fingerprint "$PAIRS/new/leaf.pem") is served again: 3 of 3 endpoints"
	has_become "$PAIRS/new"
}

@test "many runs at once: one of them deploys, and each other one says that a run is under way or has nothing to do" {
	with_a_look
	set_scene
	many_at_once "$PROGRAM" -c "$CONF"
	[[ $statuses =~ ^0(\ 0)*(\ 75)*$ ]]
	[ "$(grep -c 'certdeploy: deployed' <<<"$output")" -eq 1 ]
	[ "$(grep -c "error: $STATE: another run is under way" <<<"$output")" -eq "$(grep -o 75 <<<"$statuses" | wc -l)" ]
	mended
}

@test "a run that is killed gives its lock back" {
	with_a_look
	set_scene
	is_killed_at reload
	normal
	mended
}

@test "the state directory's disk is full: the old pair stays as long as there is no room for all" {
	local size
	with_a_look
	set_scene
	mount -t tmpfs -o size=4k,mode=0700 full "$STATE"
	for size in 4k 8k; do
		mount -o remount,size=$size "$STATE"
		certdeploy
		expect 73 'No space left on device' 'free space (df)'
		installed_is "$PAIRS/current"
		[ -z "$(find "$SSL" -name '.*.new')" ]
	done
	mount -o remount,size=1m "$STATE"
	certdeploy
	expect 0 deployed
	mended
}

@test "a run that was cut off, and then data/assets/ssl is read-only: it says so, and completes it later" {
	with_a_look
	cut_off "$PAIRS/new" 4
	mount --bind "$SSL" "$SSL"
	mount -o remount,bind,ro "$SSL"
	certdeploy
	expect 73 "$SSL" 'Read-only file system'
	is_still_cut_off
	umount "$SSL"
	certdeploy
	expect 0 'an interrupted installation was completed'
	mended
}

@test "the clock is wrong by a year: the pair is refused and kept, and deployed when the clock is right" {
	local before date
	with_a_look
	set_scene
	before=$(snapshot "$SSL" "$STAGING" "$STATE")
	for date in '1 year ago' '1 year'; do
		at_time "$date" certdeploy
		expect 65 "refused: $GENERATION: the certificate"
		same "$before" "$(snapshot "$SSL" "$STAGING" "$STATE")"
	done
	normal
	mended
}

@test "a pair that was deployed while the clock was wrong does not keep the next one out" {
	local date pair=$BATS_TEST_TMPDIR/then
	with_a_look
	for date in '1 year ago' '1 year'; do
		set_scene
		rm -rf "$pair" "$GENERATION"
		make_pair "$pair" from="$date 2 days ago" to="$date 60 days"
		put_generation "$pair"
		at_time "$date" certdeploy
		expect 0 "deployed $(fingerprint "$pair/leaf.pem")"
		put_generation "$PAIRS/new"
		certdeploy
		expect 0 "deployed $(fingerprint "$PAIRS/new/leaf.pem")"
		installed_is "$PAIRS/new"
		is_kept "$pair"
	done
}

@test "what a killed push left half-made is removed when it is an hour old" {
	with_a_look
	set_scene
	mv "$GENERATION" "$STAGING/.${GENERATION##*/}.part"
	at_time '50 minutes' certdeploy
	expect 0 'nothing to do'
	[ -n "$(ls -A "$STAGING")" ]
	at_time '70 minutes' certdeploy
	expect 0 'nothing to do'
	staging_is_empty
}

# coming_with_a_reload COMMAND: it is run when the services are told to reload, in staging
coming_with_a_reload() {
	sed -i "2i case \"\$*\" in *reload*) (cd '$STAGING' && $1) 2>/dev/null ;; esac" "$DOCKER"
}

@test "a generation that comes while another one is deployed is deployed by the same run" {
	with_a_look
	make_pair "$BATS_TEST_TMPDIR/latest" from='1 hour ago'
	put_generation "$BATS_TEST_TMPDIR/latest" 11
	mv "$GENERATION" "$BATS_TEST_TMPDIR/coming"
	set_scene
	coming_with_a_reload "mv '$BATS_TEST_TMPDIR/coming' '$GENERATION'"
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/new/leaf.pem")" \
		"deployed $(fingerprint "$BATS_TEST_TMPDIR/latest/leaf.pem")"
	staging_is_empty
}

@test "a flat pair that comes while another one is deployed is deployed by the same run" {
	with_a_look
	set_scene
	coming_with_a_reload "cp '$PAIRS/newer/fullchain.pem' '$PAIRS/newer/privkey.pem' ."
	certdeploy
	expect 0 "deployed $(fingerprint "$PAIRS/new/leaf.pem")" "deployed $(fingerprint "$PAIRS/newer/leaf.pem")"
}

@test "a bad generation that comes while another one is deployed is refused once, and stays" {
	with_a_look
	set_scene
	coming_with_a_reload "mkdir '$(generation 11)'"
	certdeploy
	expect 66 "deployed $(fingerprint "$PAIRS/new/leaf.pem")" "refused: $STAGING/$(generation 11): fullchain.pem"
	[ "$(grep -c refused: <<<"$output")" -eq 1 ]
	[ -d "$STAGING/$(generation 11)" ]
	# and is no reason for more than one look in a run
	certdeploy
	expect 66
	[ "$(grep -c refused: <<<"$output")" -eq 1 ]
}

@test "whoever puts one generation after the other into staging does not keep a run going" {
	with_a_look
	set_scene
	# one with each docker command, of which each of its looks at staging is followed by some
	sed -i "2i mkdir '$STAGING/20260111T0300'\$(date +%2N)'Z-'\$(date +%N)0000000 2>/dev/null" "$DOCKER"
	certdeploy --force
	expect 66
	# in three looks, the first of which found none yet
	[ "$(grep -c refused: <<<"$output")" -eq 2 ]
}

# --- uploads that are under way ---

# deploying FILE: a run whose looks at staging can be seen; it is $JOB, and says what it does in FILE
deploying() {
	strace -qq -o "$BATS_TEST_TMPDIR/trace" -e trace=newfstatat "$PROGRAM" -c "$CONF" -v >"$1" 2>&1 3>&- 4>&- &
	JOB=$!
}

# has_looked_at NAME: again and again, and not only when it begins and ends
has_looked_at() {
	[ "$(grep -cF "\"$1\"" "$BATS_TEST_TMPDIR/trace" 2>/dev/null)" -gt 5 ]
}

@test "a generation that is being uploaded is waited for, and deployed when it has its name" {
	local part
	with_a_look
	set_scene
	part=.${GENERATION##*/}.part
	mv "$GENERATION" "$STAGING/$part"
	rm "$STAGING/$part/privkey.pem"
	deploying "$BATS_TEST_TMPDIR/output"
	await has_looked_at "$part"
	# it goes on
	install -m 0600 "$PAIRS/new/privkey.pem" "$STAGING/$part/"
	mv "$STAGING/$part" "$GENERATION"
	wait "$JOB"
	grep -qF "deployed $(fingerprint "$PAIRS/new/leaf.pem")" "$BATS_TEST_TMPDIR/output"
	staging_is_empty
}

@test "an upload that does not go on is waited for for some seconds, and one that was left before is not" {
	local part
	with_a_look
	set_scene
	part=.${GENERATION##*/}.part
	mv "$GENERATION" "$STAGING/$part"
	deploying "$BATS_TEST_TMPDIR/output"
	wait "$JOB"
	has_looked_at "$part"
	grep -qF 'nothing to do' "$BATS_TEST_TMPDIR/output"
	[ -d "$STAGING/$part" ]
	deploying "$BATS_TEST_TMPDIR/output"
	wait "$JOB"
	! has_looked_at "$part" || return 1
}

@test "uploads that go on for ever keep a run for a while only, and a dry run and a check not at all" {
	local part toucher
	with_a_look
	set_scene
	part=.${GENERATION##*/}.part
	mkdir "$STAGING/$part"
	# a file in it, and away again
	while :; do
		: >"$STAGING/$part/x" && rm "$STAGING/$part/x"
		sleep 0.5
	done 3>&- 4>&- &
	toucher=$!
	traced "$BATS_TEST_TMPDIR/trace" -e trace=newfstatat -- --dry-run
	expect 0 'would install'
	! has_looked_at "$part" || return 1
	certdeploy check
	[ "$status" -lt 2 ]
	status=0
	timeout "$HANGS_S" "$PROGRAM" -c "$CONF" >"$BATS_TEST_TMPDIR/output" 2>&1 || status=$?
	kill "$toucher"
	[ "$status" -eq 0 ]
	grep -qF "deployed $(fingerprint "$PAIRS/new/leaf.pem")" "$BATS_TEST_TMPDIR/output"
	[ -d "$STAGING/$part" ]
}
