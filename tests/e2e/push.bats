#!/usr/bin/env bats
# What certpush puts on the mail host and what it remembers: unchanged, changed, forced, dry, interrupted.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	FINGERPRINT=$(fingerprint "$PAIRS/mail/leaf.pem")
}

remember() { # FINGERPRINT
	echo "$1" >"$STATE/last_fp"
}

# --- changed ---

@test "a changed certificate is pushed: both files as they are, 0600 in a directory 0700, named by UTC time and fingerprint" {
	local before after name
	before=$(date -u +%Y%m%dT%H%M%SZ)
	TZ=Pacific/Kiritimati certpush
	after=$(date -u +%Y%m%dT%H%M%SZ)
	name=$(generations)
	expect 0 "certpush: pushed $FINGERPRINT to 127.0.0.1 as $name"
	[ "$(wc -l <<<"$output")" -eq 1 ]
	pushed "$PAIRS/mail"
	[ "$(ls -A "$STAGING/$name")" = $'fullchain.pem\nprivkey.pem' ]
	[ "$(stat -c %a "$STAGING/$name")" = 700 ]
	[ "$(stat -c '%a %F' "$STAGING/$name/fullchain.pem")" = '600 regular file' ]
	[ "$(stat -c '%a %F' "$STAGING/$name/privkey.pem")" = '600 regular file' ]
	[ "${name#*-}" = "$(tr -d : <<<"$FINGERPRINT" | cut -c1-16 | tr A-F a-f)" ]
	[[ ! ${name%-*} < $before && ! ${name%-*} > $after ]]
}

@test "files have their modes from the first moment on" {
	with_fault fsync:delay_enter=400000
	begin --
	await compgen -G "$STAGING/.*.part/privkey.pem"
	[ "$(find "$STAGING" -mindepth 1 -perm /077)" = '' ]
	[[ $(ls -A "$STAGING") =~ ^\.$GENERATION_FORM\.part$ ]]
	no_generation
	finish
	expect 0
	pushed "$PAIRS/mail"
}

@test "the modes do not depend on the server's umask" {
	forcing "internal-sftp -p$REQUESTS -u0000 -d$STAGING"
	certpush
	expect 0
	pushed "$PAIRS/mail"
	[ "$(stat -c %a "$STAGING"/* "$STAGING"/*/* | tr '\n' ' ')" = '700 600 600 ' ]
}

@test "last_fp holds the fingerprint as openssl prints it, in one line" {
	certpush
	expect 0
	openssl x509 -noout -fingerprint -sha256 -in "$PAIRS/mail/leaf.pem" | cut -d= -f2 | cmp - "$STATE/last_fp"
	[ "$(ls -A "$STATE")" = last_fp ]
}

@test "the state directory is made if it is missing, for its owner only" {
	rmdir "$STATE"
	certpush
	expect 0
	[ "$(stat -c %a "$STATE")" = 700 ]
	pushed "$PAIRS/mail"
}

@test "another certificate than the remembered one is pushed" {
	remember "$(fingerprint "$PAIRS/old/leaf.pem")"
	certpush
	expect 0 "pushed $FINGERPRINT"
	pushed "$PAIRS/mail"
}

@test "a last_fp that makes no sense is no reason not to push, and is replaced" {
	local content
	for content in '' 'rubbish' "${FINGERPRINT%??}" "$FINGERPRINT:00"; do
		rm -rf "${STAGING:?}"/*
		printf %s "$content" >"$STATE/last_fp"
		certpush
		expect 0 "pushed $FINGERPRINT"
		pushed "$PAIRS/mail"
	done
	rm -rf "${STAGING:?}"/* "$STATE/last_fp"
	ln -s "$BATS_TEST_TMPDIR/elsewhere" "$STATE/last_fp"
	echo "$FINGERPRINT" >"$BATS_TEST_TMPDIR/elsewhere"
	certpush
	expect 0
	[ ! -L "$STATE/last_fp" ]
	pushed "$PAIRS/mail"
}

@test "the key's six requests are enough: no reading, no listing, no removing" {
	forcing "internal-sftp -p$WRITE_ONLY -u0077 -d$STAGING"
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

@test "the key as setup-mailcow-host restricts it is enough, and cannot read back what it has put" {
	rm -rf "${LAB_INCOMING:?}"/*-"$(tr -d : <<<"$FINGERPRINT" | cut -c1-16 | tr A-F a-f)"
	local port=$LAB_SSH_PORT name
	know_host 127.0.0.1 "$port" ed25519 "$LAB/sshd/ssh_host_ed25519_key.pub"
	configure "target.port=$port"
	certpush
	expect 0
	name=$(sed -n 's/.* as //p' <<<"$output")
	cmp "$LAB_INCOMING/$name/privkey.pem" "$PAIRS/mail/privkey.pem"
	run sftp -b - -q -P "$port" -i "$LAB_IDENTITY" -o IdentitiesOnly=yes -o UserKnownHostsFile="$KNOWN_HOSTS" \
		"$LAB_SSH_USER@127.0.0.1" <<<"get $name/privkey.pem $BATS_TEST_TMPDIR/stolen"
	rm -rf "${LAB_INCOMING:?}/$name"
	[ "$status" -ne 0 ]
	[ ! -s "$BATS_TEST_TMPDIR/stolen" ]
}

@test "a server that may not sync gets the pair all the same, and --verbose says so" {
	forcing "internal-sftp -popen,write,close,rename,mkdir -u0077 -d$STAGING"
	certpush -v
	expect 0 'not synced'
	pushed "$PAIRS/mail"
}

@test "both files are synced before the directory gets its name" {
	with_fault fsync,rename:delay_enter=1
	certpush
	expect 0
	await test -s "$BATS_TEST_TMPDIR/fault"
	[ "$(grep -oE '(fsync|rename)\(' "$BATS_TEST_TMPDIR/fault" | tr -d '\n')" = 'fsync(fsync(rename(' ]
}

@test "staging names another directory, relative to where the server starts or absolute" {
	make_staging "$STAGING/box"
	configure target.staging=box
	certpush
	expect 0
	[[ $(ls -A "$STAGING/box") =~ ^$GENERATION_FORM$ ]]
	rm -r "${STAGING:?}/box/"*
	configure "target.staging=$STAGING/box/"
	certpush --force
	expect 0
	[[ $(ls -A "$STAGING/box") =~ ^$GENERATION_FORM$ ]]
	certpush --force --dry-run
	expect 0 "directory $STAGING/box/"
}

# --- unchanged ---

@test "an unchanged certificate: nothing to do, no socket, the private key is not touched" {
	local before
	certpush
	expect 0
	before=$(snapshot "$STAGING" "$STATE" "$BATS_TEST_TMPDIR/letsencrypt")
	traced -e trace=network,openat,open --
	expect 0 'nothing to do' npm-5 "$FINGERPRINT"
	no_socket
	! grep -E 'privkey|mailcow_certsync|known_hosts' "$TRACE" || return 1
	same "$before" "$(snapshot "$STAGING" "$STATE" "$BATS_TEST_TMPDIR/letsencrypt")"
}

@test "an unchanged certificate needs neither identity nor known_hosts nor a host that answers" {
	remember "$FINGERPRINT"
	configure target.identity=/nowhere target.known_hosts=/nowhere target.host=nowhere.invalid
	certpush
	expect 0 'nothing to do'
}

@test "last_fp without a newline, or in lower case, is understood" {
	printf %s "$FINGERPRINT" >"$STATE/last_fp"
	certpush
	expect 0 'nothing to do'
	tr A-F a-f <<<"$FINGERPRINT" >"$STATE/last_fp"
	certpush
	expect 0 'nothing to do'
	staging_is_empty
}

# --- --force and --dry-run ---

@test "--force pushes an unchanged certificate again, under another name even in the same second" {
	local name
	remember "$FINGERPRINT"
	for _ in 1 2 3; do
		certpush --force
		expect 0 "pushed $FINGERPRINT"
	done
	[ "$(generations | wc -l)" -eq 3 ]
	for name in $(generations); do
		cmp "$STAGING/$name/privkey.pem" "$PAIRS/mail/privkey.pem"
	done
	grep -qxF "$FINGERPRINT" "$STATE/last_fp"
}

@test "--dry-run says what it would push and where to, opens no socket and changes nothing" {
	local before
	configure target.staging=box
	before=$(snapshot "$STAGING" "$STATE" "$BATS_TEST_TMPDIR/letsencrypt")
	traced -e trace=network -- --dry-run
	expect 0 "dry run: would push npm-5 ($FINGERPRINT) to certsync@127.0.0.1 port $PORT, directory box"
	[ ! -s "$TRACE" ]
	same "$before" "$(snapshot "$STAGING" "$STATE" "$BATS_TEST_TMPDIR/letsencrypt")"
	rmdir "$STATE"
	certpush -n
	expect 0 'would push npm-5'
	[ ! -e "$STATE" ]
}

@test "--dry-run with an unchanged certificate: nothing to do; with --force: what it would push" {
	remember "$FINGERPRINT"
	certpush --dry-run
	expect 0 'nothing to do'
	certpush --dry-run --force
	expect 0 "would push npm-5 ($FINGERPRINT)"
	staging_is_empty
}

@test "--dry-run finds what would make the push fail: the pair, the identity, an unknown host" {
	install -m 0644 "$LAB_IDENTITY" "$BATS_TEST_TMPDIR/exposed"
	configure "target.identity=$BATS_TEST_TMPDIR/exposed"
	certpush --dry-run
	refused 78 "$BATS_TEST_TMPDIR/exposed"
	configure "target.identity=$LAB_IDENTITY"
	: >"$KNOWN_HOSTS"
	certpush --dry-run
	refused 76 "$KNOWN_HOSTS has no key of 127.0.0.1 port $PORT" setup-npm-host
}

# --- when it is remembered ---

@test "killed after the rename was confirmed and before it is remembered: pushed once more by the next run" {
	traced -e trace=renameat -e inject=renameat:signal=KILL --
	[ "$status" -ne 0 ]
	[ "$(generations | wc -l)" -eq 1 ]
	[ ! -e "$STATE/last_fp" ]
	certpush
	expect 0 "pushed $FINGERPRINT"
	[ "$(generations | wc -l)" -eq 2 ]
	[ "$(ls -A "$STATE")" = last_fp ]
}

@test "killed in the middle: nothing that would be deployed, nothing remembered, and the next run pushes" {
	with_fault fsync:delay_enter=400000
	begin --
	await compgen -G "$STAGING/.*.part/fullchain.pem"
	kill -KILL "$JOB"
	finish
	[ "$status" -eq 137 ]
	no_generation
	[ ! -e "$STATE/last_fp" ]
	certpush
	expect 0 "pushed $FINGERPRINT"
	[ "$(generations | wc -l)" -eq 1 ]
}

@test "the server dies when asked to rename: 75, and nothing is remembered" {
	with_fault rename:error=EIO:signal=KILL
	certpush
	expect 75 "certsync@127.0.0.1:" 'giving the directory its final name' 'Run again'
	[ ! -e "$STATE/last_fp" ]
	no_generation
}

@test "a push that fails leaves what was remembered before" {
	local old
	old=$(fingerprint "$PAIRS/old/leaf.pem")
	remember "$old"
	use_port "$(free_port)"
	certpush
	expect 75
	[ "$(cat "$STATE/last_fp")" = "$old" ]
}

@test "last_fp cannot be written: 73, pushed all the same, and that the next run will push again" {
	apart "mount --bind '$STATE' '$STATE'; mount -o remount,bind,ro '$STATE'"
	expect 73 "pushed, but the next run will push again: $STATE" last_fp 'Read-only file system' 'free space'
	[ "$(generations | wc -l)" -eq 1 ]
	[ ! -e "$STATE/last_fp" ]
}

@test "the disk with last_fp is full: 73, and no half-written file" {
	traced -e trace=fsync -e inject=fsync:error=ENOSPC --
	expect 73 "pushed, but the next run will push again: $STATE" 'No space left on device'
	[ -z "$(ls -A "$STATE")" ]
}

@test "the state directory cannot be made: 73, its path, and nothing is sent" {
	configure "state.dir=$BATS_TEST_TMPDIR/no/state"
	traced -e trace=network --
	refused 73 "$BATS_TEST_TMPDIR/no/state: cannot make the state directory: No such file or directory" 'free space'
	[ ! -s "$TRACE" ]
}

# --- one at a time ---

@test "another run is under way: 75, the state directory, and nothing is sent" {
	exec 9<"$STATE"
	flock 9
	traced -e trace=network --
	exec 9<&-
	refused 75 "$STATE: another run is under way" 'Wait for it to end'
	[ ! -s "$TRACE" ]
	certpush
	expect 0
}

@test "while one run pushes, a second one ends at once; a dry run and a list do not wait" {
	with_fault fsync:delay_enter=600000
	begin --
	await compgen -G "$STAGING/.*.part/fullchain.pem"
	certpush
	expect 75 'another run is under way'
	certpush --dry-run
	expect 0 'would push'
	certpush list
	expect 0
	finish
	expect 0
	pushed "$PAIRS/mail"
}

# --- interrupted ---

# interrupted SIGNAL STATUS: in the middle of writing
interrupted() {
	with_fault fsync:delay_enter=500000
	begin --
	await compgen -G "$STAGING/.*.part/privkey.pem"
	kill "-$1" "$JOB"
	finish
	refused "$2" 'warning: certsync@127.0.0.1:' "$(fingerprint_prefix).part" interrupted \
		'Run again; nothing was left behind that would be deployed'
	staging_is_empty
	[ -z "$(ls -A "$STATE")" ]
}

fingerprint_prefix() {
	tr -d : <<<"$FINGERPRINT" | cut -c1-16 | tr A-F a-f
}

@test "SIGTERM in the middle: what was half made is removed, nothing is remembered, and it ends by the signal" {
	interrupted TERM 143
}

@test "SIGINT in the middle: what was half made is removed, nothing is remembered, and it ends by the signal" {
	interrupted INT 130
}

# written_whole FILE: of the generation that is being put
written_whole() {
	cmp -s "$STAGING"/.*.part/"$1" "$LIVE/npm-5/$1"
}

@test "SIGTERM while the server hangs: it ends within seconds, and nothing is remembered" {
	with_fault fsync:delay_enter=30000000
	begin --
	await written_whole fullchain.pem
	kill -TERM "$JOB"
	finish
	refused 143 'interrupted while' 'Run again'
}

@test "SIGTERM while shaking hands: it ends at once" {
	odd_server silent
	begin strace -f -qq -o "$TRACE" -e trace=recvfrom -- -v
	await grep -q EAGAIN "$TRACE"
	kill -TERM "$(ps -o pid= --ppid "$JOB")"
	finish
	refused 143 "127.0.0.1 port $PORT: interrupted while shaking hands" 'Run again'
}

@test "SIGTERM while connecting: it ends at once" {
	odd_server full 127.0.0.67 "$(free_port)"
	know_host 127.0.0.67 "$PORT" ed25519
	configure target.host=127.0.0.67
	begin strace -f -qq -o "$TRACE" -e trace=poll -- -v
	await grep -q POLLOUT "$TRACE"
	kill -TERM "$(ps -o pid= --ppid "$JOB")"
	finish
	refused 143 "interrupted while connecting to 127.0.0.67 port $PORT" 'Run again'
}

@test "SIGTERM while a pair in renewal is waited for: it ends, and nothing is sent" {
	rm "$LIVE/npm-5/privkey.pem"
	begin strace -qq -o "$TRACE" -e trace=openat -- -v
	await grep -q 'privkey.pem.*ENOENT' "$TRACE"
	kill -TERM "$(ps -o pid= --ppid "$JOB")"
	finish
	refused 143 interrupted 'Run again'
	staging_is_empty
}
