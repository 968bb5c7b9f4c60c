#!/usr/bin/env bats
# The command line, the configuration, and how certpush speaks.

# shellcheck disable=SC2030,SC2031,SC2153 # each test is a subshell; PORT and the like are set in push.bash

load push

# --- the command line ---

# usage_error TEXT ARGUMENT...
usage_error() {
	local text=$1
	shift
	run "$PROGRAM" "$@"
	refused 64 "certpush: error: $text" 'Run the program with --help'
}

@test "a wrong command line: 64, what is wrong with it, and --help as the hint" {
	usage_error 'unknown option --nonsense' --nonsense
	usage_error 'unknown option -x' -x
	usage_error 'unknown command push' push
	usage_error 'too many arguments: list' run list
	usage_error 'an argument is missing after -c' -c
}

@test "--help goes to standard output and names every command, option and the manual page" {
	local word
	run --separate-stderr "$PROGRAM" --help
	expect 0 'Usage: certpush' /etc/certsync/push.conf 'certpush(8)'
	[ -z "$stderr" ]
	for word in run list --config --dry-run --force --verbose --quiet --json --help --version; do
		grep -qwF -- "$word" <<<"$output"
	done
	run --separate-stderr "$PROGRAM" -h
	expect 0 'Usage: certpush'
}

@test "--version prints name and version" {
	run --separate-stderr "$PROGRAM" --version
	[ "$status" -eq 0 ]
	[[ $output =~ ^certpush\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "options may stand behind the command, and run is what is done without one" {
	run "$PROGRAM" run --dry-run -c "$CONF"
	expect 0 'would push npm-5'
	run "$PROGRAM" -n -c "$CONF"
	expect 0 'would push npm-5'
}

# --- the configuration ---

# line LINE...: the configuration is these lines
line() {
	printf '%s\n' "$@" >"$CONF"
}

# wrong LINE-NUMBER TEXT: 78, with file and line
wrong() {
	certpush
	refused 78 "certpush: error: $CONF:$1: $2" 'Correct the line; certsync.conf(5) describes every setting'
	certpush list
	expect 78 "$CONF:$1: $2"
}

@test "no configuration file: 78, its path, and where an example is" {
	CONF=$BATS_TEST_TMPDIR/nowhere.conf
	certpush
	refused 78 "certpush: error: $CONF: No such file or directory" 'copy the example' '-c'
}

@test "without -c the configuration is /etc/certsync/push.conf" {
	# shellcheck disable=SC2016 # for the inner shell
	run timeout 20 unshare --mount --propagation private sh -euc '
		mkdir -p /etc/certsync
		mount -t tmpfs none /etc/certsync
		"$1" -n || echo "status $?"
		cp "$2" /etc/certsync/push.conf
		"$1" -n' sh "$PROGRAM" "$CONF"
	expect 0 'error: /etc/certsync/push.conf: No such file or directory' 'status 78' 'would push npm-5'
}

@test "a key that is nearly one: file, line, and the key that was meant" {
	line '[source]' 'hostname = mail.example.org' '[target]' 'know_hosts = /etc/hosts'
	wrong 4 "unknown key 'know_hosts' in section [target]; did you mean 'known_hosts' in [target]?"
	line '[source]' 'hostnames = mail.example.org'
	wrong 2 "unknown key 'hostnames' in section [source]; did you mean 'hostname' in [source]?"
}

@test "a section that is nearly one: file, line, and the section that was meant" {
	line '[sources]' 'hostname = mail.example.org'
	wrong 1 'unknown section [sources]; did you mean [source]?'
}

@test "a key in the wrong section: file, line, and where it belongs" {
	line '[source]' 'hostname = mail.example.org' 'port = 22'
	wrong 3 'port belongs in section [target]'
}

@test "a key of deploy.conf, or of nobody: file and line" {
	line '[source]' 'hostname = mail.example.org' '[mailcow]' 'root = /opt'
	wrong 3 'unknown section [mailcow]'
	line '[source]' 'hostname = mail.example.org' '' '# a comment' 'services = postfix'
	wrong 5 "unknown key 'services' in section [source]"
}

@test "no hostname: 78, the file, the key and its section" {
	line '[target]' 'host = 127.0.0.1'
	certpush
	refused 78 "$CONF: hostname in section [source] must be set" 'certsync.conf(5)'
	line '[source]' 'hostname ='
	wrong 2 'hostname is empty; give it a value'
}

@test "a bad value: file, line, the value, and what it must be" {
	local setting
	line '[source]' 'hostname = müller.example'
	wrong 2 'hostname = m\xc3\xbcller.example: must be a host name in its ASCII form (xn--...)'
	for setting in 'hostname = mail_.example..org|a host name' \
		'live_dir = letsencrypt/live|an absolute path' 'lineage = ../npm-5|a name, without a path'; do
		line '[source]' "${setting%|*}"
		wrong 2 "${setting%|*}: must be ${setting#*|}"
	done
	for setting in 'port = 0|a port number from 1 to 65535' 'port = 65536|a port number' 'port = ssh|a port number' \
		'port = 22x|a port number' 'host = mail host|a host name or an IP address' \
		'identity = mailcow_certsync|an absolute path' 'host_key = MD5:00:11|a fingerprint as ssh-keygen -l prints it'; do
		line '[source]' 'hostname = mail.example.org' '[target]' "${setting%|*}"
		wrong 4 "${setting%|*}: must be ${setting#*|}"
	done
	for setting in 'connect_timeout = 10' 'run_timeout = 0s' 'handshake_timeout = 2 weeks' 'run_timeout = -1s'; do
		line '[source]' 'hostname = mail.example.org' '[limits]' "$setting"
		wrong 4 "$setting: must be a time with its unit, from 1ms to 24h"
	done
	line '[source]' 'hostname = mail.example.org' '[state]' 'dir = state'
	wrong 4 'dir = state: must be an absolute path'
}

@test "a setting given twice, and a line that is none: file and line" {
	line '[source]' 'hostname = mail.example.org' 'hostname = mail.example.net'
	wrong 3 'hostname in section [source] is set a second time'
	line '[source]' 'hostname = mail.example.org' 'nonsense'
	wrong 3 'is neither [section] nor key = value'
}

@test "the host to connect to is the hostname where none is set" {
	know_host mail.example.org "$PORT" ed25519
	configure target.host=-
	certpush --dry-run
	expect 0 "to certsync@mail.example.org port $PORT"
	configure target.host=
	certpush --dry-run
	expect 0 "to certsync@mail.example.org port $PORT"
}

@test "units of time are understood" {
	configure limits.connect_timeout=900ms 'limits.handshake_timeout=2 s' limits.run_timeout=1m
	certpush
	expect 0
	pushed "$PAIRS/mail"
}

# --- how it speaks ---

@test "--quiet says nothing when all went well, and what is wrong all the same" {
	certpush --quiet
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	certpush -q
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	configure target.identity=/nowhere
	certpush -q --force
	expect 78 'certpush: error: /nowhere: there is no such SSH key' 'setup-npm-host'
}

@test "--verbose says how: lineage, address, what was agreed on with the server" {
	certpush -v
	expect 0 'lineage npm-5: mail.example.org, EC P-384, valid until 20' "connected to 127.0.0.1 port $PORT" \
		'SSH-2.0-OpenSSH' ssh-ed25519 'pushed '
}

@test "without the journal it is plain text on standard error, without colours, and nothing on standard output" {
	run --separate-stderr "$PROGRAM" -c "$CONF"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	[[ $stderr =~ ^certpush:\ pushed\  ]]
	[[ $stderr != *$'\e'* ]]
}

@test "JOURNAL_STREAM of another stream is no reason to be silent" {
	JOURNAL_STREAM=1:2 certpush
	expect 0 'certpush: pushed '
}

# to_journal FILE [OPTION...]: certpush with standard error as its journal stream, and a journald that keeps the records
to_journal() {
	local records=$1
	shift
	mkdir "$BATS_TEST_TMPDIR/journal"
	odd_server_elsewhere journal "$BATS_TEST_TMPDIR/journal/socket" "$records"
	apart "mkdir -p /run/systemd; mount -t tmpfs none /run/systemd; mkdir /run/systemd/journal
		mount --bind '$BATS_TEST_TMPDIR/journal' /run/systemd/journal
		JOURNAL_STREAM=\$(stat -L -c %d:%i /dev/stderr); export JOURNAL_STREAM" "$@"
}

# odd_server_elsewhere ...: one that certpush does not connect to
odd_server_elsewhere() {
	local port=$PORT
	odd_server "$@"
	use_port "$port"
}

@test "in the journal a push has its fields: identity, priority, host, lineage, fingerprint, end, generation" {
	local records=$BATS_TEST_TMPDIR/records
	to_journal "$records"
	expect 0
	[ -z "$output" ]
	await grep -q MESSAGE=pushed "$records"
	grep -qx 'SYSLOG_IDENTIFIER=certpush' "$records"
	grep -qx 'PRIORITY=5' "$records"
	grep -qx 'MESSAGE_ID=f4e0e0b9e41e4195b9aad2beb03c295a' "$records"
	grep -qx 'CERTSYNC_OUTCOME=PUSHED' "$records"
	grep -qx 'CERTSYNC_HOST=mail.example.org' "$records"
	grep -qx 'CERTSYNC_LINEAGE=npm-5' "$records"
	grep -qx "CERTSYNC_FINGERPRINT=$(fingerprint "$PAIRS/mail/leaf.pem")" "$records"
	grep -qE '^CERTSYNC_NOT_AFTER=20[0-9-]+T[0-9:]+Z$' "$records"
	grep -qx "CERTSYNC_GENERATION=$(generations)" "$records"
}

@test "in the journal a failure has its priority, and what to do about it stands in the message" {
	local records=$BATS_TEST_TMPDIR/records
	configure target.identity=/nowhere
	to_journal "$records"
	expect 78
	await grep -q 'MESSAGE=/nowhere: there is no such SSH key. Make an ed25519 key' "$records"
	grep -qx 'PRIORITY=3' "$records"
	grep -qx 'CERTSYNC_OUTCOME=IDENTITY_UNUSABLE' "$records"
	grep -q '^CERTSYNC_ADVICE=Make an ed25519 key' "$records"
}

@test "the service manager is told the result in words" {
	local records=$BATS_TEST_TMPDIR/records
	odd_server_elsewhere journal "$BATS_TEST_TMPDIR/notify" "$records"
	NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify certpush
	expect 0
	await grep -q "STATUS=pushed $(fingerprint "$PAIRS/mail/leaf.pem") to 127.0.0.1" "$records"
	NOTIFY_SOCKET=$BATS_TEST_TMPDIR/notify certpush
	await grep -q 'STATUS=nothing to do' "$records"
}

@test "neither key is in what is said or remembered, however much is said" {
	certpush -v
	expect 0
	nothing_secret_said
	install -m 0600 "$PAIRS/old/privkey.pem" "$ARCHIVE/npm-5/privkey1.pem"
	cp "$LAB_IDENTITY" "$BATS_TEST_TMPDIR/broken"
	sed -i '3s/^./!/' "$BATS_TEST_TMPDIR/broken"
	lineage npm-6 "$PAIRS/newer"
	configure "target.identity=$BATS_TEST_TMPDIR/broken"
	certpush -v --force
	[ "$status" -ne 0 ]
	nothing_secret_said
}
