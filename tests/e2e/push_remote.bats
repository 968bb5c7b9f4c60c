#!/usr/bin/env bats
# What the mail host's SFTP server may answer: each with its own message, and nothing left that would be deployed.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

setup() {
	push_setup
	lineage npm-5 "$PAIRS/mail"
	PART="\.20[0-9]{6}T[0-9]{6}Z-$(fingerprint "$PAIRS/mail/leaf.pem" | tr -d : | cut -c1-16 | tr A-F a-f)\.part"
}

# said_of PATH-PATTERN: the error names user, host and this path, in which PART stands for the half-made directory
said_of() {
	grep -qE "^certpush: error: certsync@127\.0\.0\.1:$1: " <<<"$output" || {
		printf 'expected to be about %s:\n%s\n' "$1" "$output" >&2
		return 1
	}
}

tiny_staging() { # TMPFS-OPTIONS
	rm -rf "$STAGING"
	mkdir "$STAGING"
	mount -t tmpfs -o "mode=0700,uid=$OWNER_ID,gid=$OWNER_ID,$1" tiny "$STAGING"
}

fill() { # FILE
	! cat /dev/zero >"$1" 2>/dev/null
}

# --- not permitted ---

@test "staging belongs to somebody else: 77, the remote path, and to run setup-mailcow-host" {
	chown root: "$STAGING"
	chmod 0755 "$STAGING"
	certpush
	refused 77 'the server refuses to make it: permission denied' 'Run setup-mailcow-host there'
	said_of "$PART"
	staging_is_empty
}

@test "the forced command does not permit mkdir: 77, the path, and what it must permit" {
	forcing "internal-sftp -popen,write,close,fsync,rename,remove,rmdir -u0077 -d$STAGING"
	certpush
	refused 77 'the server refuses to make it: permission denied' 'must permit open,write,close,fsync,rename,mkdir'
	said_of "$PART"
	staging_is_empty
}

@test "the forced command does not permit open: 77, the file's path, and the directory is removed" {
	forcing "internal-sftp -pwrite,close,fsync,rename,mkdir,remove,rmdir -u0077 -d$STAGING"
	certpush
	refused 77 'the server refuses to create it: permission denied' 'must permit open,write,close,fsync,rename,mkdir'
	said_of "$PART/fullchain\.pem"
	staging_is_empty
}

@test "the forced command does not permit write: 77, the file's path, and what was made is removed" {
	forcing "internal-sftp -popen,close,fsync,rename,mkdir,remove,rmdir -u0077 -d$STAGING"
	certpush
	refused 77 'the server refuses to write it: permission denied' 'must permit open,write,close,fsync,rename,mkdir'
	said_of "$PART/fullchain\.pem"
	staging_is_empty
}

@test "the forced command does not permit rename: 77, the final path, and what was made is removed" {
	forcing "internal-sftp -popen,write,close,fsync,mkdir,remove,rmdir -u0077 -d$STAGING"
	certpush
	refused 77 'the server refuses to rename a directory to it: permission denied' \
		'must permit open,write,close,fsync,rename,mkdir'
	said_of "$GENERATION_FORM"
	staging_is_empty
}

@test "neither renaming nor removing is permitted: 77, and what stays has the name that nobody takes" {
	forcing "internal-sftp -popen,write,close,fsync,mkdir -u0077 -d$STAGING"
	certpush -v
	refused 77 'the server refuses to rename a directory to it: permission denied' 'could not be removed'
	[[ $(ls -A "$STAGING") =~ ^\.$GENERATION_FORM\.part$ ]]
}

# --- no such directory ---

@test "the staging directory does not exist: 73, the remote path, and what to correct" {
	configure target.staging=nowhere
	certpush
	refused 73 'the server cannot make it: the staging directory does not exist' \
		'Run setup-mailcow-host there, or correct staging in push.conf'
	said_of "nowhere/$PART"
}

@test "the staging directory's absolute path does not exist: 73, the remote path" {
	configure target.staging=/srv/no-such-directory/
	certpush
	refused 73 'the staging directory does not exist'
	said_of "/srv/no-such-directory/$PART"
}

@test "the staging directory vanishes in the middle: 73, and the generation's path" {
	with_fault fsync:delay_enter=400000
	begin --
	await compgen -G "$STAGING/.*.part/fullchain.pem"
	rm -r "$STAGING"
	finish
	refused 73 'the server cannot rename a directory to it: that directory has vanished'
	said_of "$GENERATION_FORM"
	make_staging "$STAGING"
}

# --- no room ---

@test "no room for the files: 74, the file's path, to look at df, and what was made is removed" {
	tiny_staging size=4k
	fill "$STAGING/filler"
	start_sshd
	certpush
	rm "$STAGING/filler"
	refused 74 'the server failed to write it: its file system is full, over quota or read-only' \
		'Check free space and quota' df
	said_of "$PART/fullchain\.pem"
	staging_is_empty
}

@test "no room for the second file's bytes: 74, its path, and what was made is removed" {
	tiny_staging size=4k
	start_sshd
	certpush
	refused 74 'the server failed to write it: its file system is full, over quota or read-only' \
		'Check free space and quota'
	said_of "$PART/privkey\.pem"
	staging_is_empty
}

@test "no room for the second file: 74, its path, and what was made is removed" {
	tiny_staging size=1m,nr_inodes=3
	start_sshd
	certpush
	refused 74 'the server failed to create it: its file system is full, over quota or read-only' \
		'Check free space and quota'
	said_of "$PART/privkey\.pem"
	staging_is_empty
}

@test "no room for the directory: 74, its path" {
	tiny_staging size=1m,nr_inodes=1
	start_sshd
	certpush
	refused 74 'the server failed to make it: its file system is full, over quota or read-only' \
		'Check free space and quota'
	said_of "$PART"
	staging_is_empty
}

@test "staging is read-only: 74, the path, and that it may be read-only" {
	tiny_staging size=1m,ro
	start_sshd
	certpush
	refused 74 'the server failed to make it' read-only 'file system'
	said_of "$PART"
	staging_is_empty
}

@test "the server's disk fails when syncing: 74, the file's path, and what was made is removed" {
	with_fault fsync:error=EIO
	certpush
	refused 74 'the server failed to sync it'
	said_of "$PART/fullchain\.pem"
	staging_is_empty
}

@test "renaming fails: 74, the final path, and what was made is removed" {
	with_fault rename:error=ENOSPC
	certpush
	refused 74 'the server failed to rename a directory to it'
	said_of "$GENERATION_FORM"
	staging_is_empty
}

@test "after room was made the next run pushes" {
	tiny_staging size=4k
	start_sshd
	certpush
	refused 74
	mount -o remount,size=1m "$STAGING"
	stop_sshd "${STARTED[0]}"
	start_sshd
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

# --- the connection breaks off, or the server hangs, at each step ---

# dies_at SYSTEM-CALL[:when=N] STAGE PATH-PATTERN: the server's process ends there
dies_at() {
	with_fault "${1%%:*}:signal=KILL${1#"${1%%:*}"}"
	certpush
	refused 75 "while $2" 'Run again'
	said_of "$3"
}

# hangs_at SYSTEM-CALL STAGE PATH-PATTERN: it takes longer there than the run may
hangs_at() {
	with_fault "$1:delay_enter=40000000"
	certpush_within "the time was up while $2" limits.run_timeout=4000
	refused 75 "the time was up while $2" 'raise the limits in section [limits] of push.conf'
	said_of "$3"
}

@test "the server dies when making the directory: 75" {
	dies_at mkdir 'making the directory' "$PART"
	staging_is_empty
}

@test "the server dies when syncing the second file: 75" {
	dies_at fsync:when=2 'syncing the file' "$PART/privkey\.pem"
	[[ $(ls -A "$STAGING") =~ ^\.$GENERATION_FORM\.part$ ]]
}

@test "the server hangs when making the directory: 75, the limit holds" {
	hangs_at mkdir 'making the directory' "$PART"
}

@test "the server hangs when renaming: 75, the limit holds, and nothing is remembered" {
	hangs_at rename 'giving the directory its final name' "$GENERATION_FORM"
}

@test "the server is slow, and the time is up in the middle: what was half made is removed" {
	configure limits.run_timeout=4s
	with_fault fsync:delay_enter=2500000
	certpush
	refused 75 'certsync@127.0.0.1:' 'the time was up while' 'raise the limits'
	staging_is_empty
}

# --- the forced command is not what it should be ---

@test "the forced command says something that is not SFTP: 76, user and host, and that internal-sftp is to be forced" {
	forcing 'echo hello'
	certpush
	refused 76 "certsync@127.0.0.1 port $PORT: the server does not answer in SFTP" \
		'authorized_keys on the mail host forces internal-sftp; setup-mailcow-host writes the line'
}

@test "the forced command says nothing and hangs: 75, the limit for the handshake holds" {
	# A login shell of its own for this server's user: sshd runs forced commands through it.
	sed "s|/usr/sbin/nologin$|/bin/sh|" "$LAB/sshd/etc/passwd" >"$BATS_TEST_TMPDIR/passwd"
	forcing 'exec sleep 60'
	nsenter -t "$(cat "${STARTED[0]}/sshd.pid")" -m mount --bind "$BATS_TEST_TMPDIR/passwd" /etc/passwd
	certpush_within 'while starting SFTP' limits.handshake_timeout=1000
	refused 75 "certsync@127.0.0.1 port $PORT: the time was up while starting SFTP" 'raise the limits'
}

@test "the forced command ends without a word: 76, user and host, and that internal-sftp is to be forced" {
	sed "s|/usr/sbin/nologin$|/bin/sh|" "$LAB/sshd/etc/passwd" >"$BATS_TEST_TMPDIR/passwd"
	forcing 'exit 1'
	nsenter -t "$(cat "${STARTED[0]}/sshd.pid")" -m mount --bind "$BATS_TEST_TMPDIR/passwd" /etc/passwd
	certpush
	refused 76 "certsync@127.0.0.1 port $PORT: the server does not answer in SFTP" 'forces internal-sftp'
}
