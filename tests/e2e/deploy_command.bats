#!/usr/bin/env bats
# What certdeploy reads before it does anything, its options, and what it says where.

# shellcheck disable=SC2030,SC2031 # each test is a process of its own, and what it sets is for it alone

load deploy

bats_require_minimum_version 1.5.0

# --- deploy.conf ---

@test "a configuration file that does not exist is named" {
	CONF=$BATS_TEST_TMPDIR/no.conf
	certdeploy
	expect 78 "error: $CONF: No such file or directory" 'name another file with -c'
}

# wrong LINE TEXT: with LINE at its end the configuration is refused, with that line's number
wrong() {
	configure "$1"
	without_docker certdeploy
	expect 78 "error: $CONF:$(wc -l <"$CONF"): $2" 'certsync.conf(5)'
}

@test "errors in the configuration name file and line, and what was meant" {
	put_generation "$PAIRS/new"
	wrong 'dri = /tmp' "unknown key 'dri' in section [state]; did you mean 'dir' in [state]?"
	wrong 'nonsense = /tmp' "unknown key 'nonsense' in section [state]"
	wrong '[limit]' 'unknown section [limit]; did you mean [limits]?'
	wrong '[nonsense]' 'unknown section [nonsense]'
	wrong 'docker_timeout = 5s' 'docker_timeout belongs in section [limits]'
	wrong "dir = $STATE" 'dir in section [state] is set a second time'
	wrong $'[limits]\ndocker_timeout =' 'docker_timeout is empty; give it a value or remove the line'
	wrong $'[limits]\ndocker_timeout = 10' 'docker_timeout = 10: must be a time with its unit'
	wrong $'[limits]\ndocker_timeout = 25h' 'docker_timeout = 25h: must be a time with its unit, from 1ms to 24h'
	wrong $'[staging]\nca_file = roots.pem' 'ca_file = roots.pem: must be an absolute path'
	wrong $'[mailcow]\nhostname = mail_.-example' 'hostname = mail_.-example: must be a host name'
	wrong $'[mailcow]\nhostname = m\xc3\xa4il.example.org' 'hostname = m\xc3\xa4il.example.org: must be a host name in its ASCII form (xn--...)'
	wrong 'just text' ''
	installed_is "$PAIRS/current"
	[ -d "$GENERATION" ]
	[ ! -e "$STATE" ]
}

@test "the documented example is a valid configuration" {
	CONF=$TOP/contrib/deploy.conf
	[ ! -e /opt/mailcow-dockerized ] || skip 'this machine has a mailcow'
	certdeploy -n
	expect 78 'no mailcow in /opt/mailcow-dockerized'
}

# --- mailcow's own directory ---

@test "a mailcow directory that does not exist is named" {
	ROOT=$BATS_TEST_TMPDIR/no-mailcow
	configure
	certdeploy
	expect 78 "error: no mailcow in $ROOT: $ROOT/mailcow.conf: No such file or directory" \
		'Correct root in section [mailcow]'
}

@test "a mailcow directory without mailcow.conf is named" {
	rm "$ROOT/mailcow.conf"
	certdeploy
	expect 78 "error: no mailcow in $ROOT: $ROOT/mailcow.conf: No such file or directory"
}

@test "a mailcow directory without data/assets/ssl is named" {
	rm -r "$SSL"
	certdeploy
	expect 78 "error: $SSL: No such file or directory" 'Correct root in section [mailcow]'
}

@test "no MAILCOW_HOSTNAME, or an empty one: says which file and setting" {
	set_variable MAILCOW_HOSTNAME
	certdeploy
	expect 78 "error: $ROOT/mailcow.conf: MAILCOW_HOSTNAME is not set" 'or set hostname in section [mailcow]'
	set_variable MAILCOW_HOSTNAME ''
	certdeploy
	expect 78 "error: $ROOT/mailcow.conf: MAILCOW_HOSTNAME is not set"
}

@test "a MAILCOW_HOSTNAME that is no host name: says which file and setting" {
	set_variable MAILCOW_HOSTNAME 'mail example'
	certdeploy
	expect 78 "error: $ROOT/mailcow.conf: MAILCOW_HOSTNAME=mail example is not a host name"
}

@test "hostname in deploy.conf is used in the place of MAILCOW_HOSTNAME" {
	make_pair "$BATS_TEST_TMPDIR/pair" names=DNS:smtp.example.org
	put_generation "$BATS_TEST_TMPDIR/pair"
	without_docker certdeploy -n
	expect 65 'does not cover mail.example.org'
	configure '[mailcow]' 'hostname = smtp.example.org'
	certdeploy
	expect 0 'for smtp.example.org'
	set_variable MAILCOW_HOSTNAME
	without_docker certdeploy
	expect 0 'nothing to do'
}

@test "values of mailcow.conf may be in quotes" {
	set_variable MAILCOW_HOSTNAME '"mail.example.org"'
	set_variable SKIP_LETS_ENCRYPT "'y'"
	without_docker certdeploy
	expect 0 'nothing to do'
	not_said warning
}

@test "SKIP_LETS_ENCRYPT that is not y: a warning, and the run goes on" {
	put_generation "$PAIRS/new"
	set_variable SKIP_LETS_ENCRYPT n
	certdeploy
	expect 0 "warning: $ROOT/mailcow.conf: SKIP_LETS_ENCRYPT is not y" 'Set SKIP_LETS_ENCRYPT=y in mailcow.conf' deployed
	installed_is "$PAIRS/new"
	set_variable SKIP_LETS_ENCRYPT
	without_docker certdeploy
	expect 0 'warning:' 'SKIP_LETS_ENCRYPT is not y' 'nothing to do'
	local yes
	for yes in y Y yes; do
		set_variable SKIP_LETS_ENCRYPT "$yes"
		without_docker certdeploy
		expect 0 'nothing to do'
		not_said warning
	done
}

# --- options ---

@test "--help and --version" {
	run "$PROGRAM" --help
	expect 0 'Usage: certdeploy [-c FILE]' '/etc/certsync/deploy.conf' '--dry-run' '--force' 'certdeploy(8)'
	run "$PROGRAM" -h
	expect 0 'Usage: certdeploy'
	run "$PROGRAM" --version
	[[ "$output" =~ ^certdeploy\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "a wrong command line is refused with exit 64" {
	run "$PROGRAM" --no-such-option
	expect 64 'unknown option --no-such-option' '--help'
	run "$PROGRAM" -c
	expect 64 'an argument is missing after -c'
	run "$PROGRAM" -c "$CONF" nonsense
	expect 64 'unknown command nonsense'
	run "$PROGRAM" -c "$CONF" run nonsense
	expect 64 'too many arguments: nonsense'
	run "$PROGRAM" -c "$CONF" --json
	expect 64 '--json does not go with run'
	[ ! -e "$STATE" ]
}

@test "the command run is the default" {
	put_generation "$PAIRS/new"
	certdeploy run
	expect 0 deployed
	installed_is "$PAIRS/new"
}

# --- dry run ---

# dry_run_changes_nothing STATUS TEXT...
dry_run_changes_nothing() {
	local before
	before=$(snapshot "$BATS_TEST_TMPDIR")
	without_docker certdeploy --dry-run
	expect "$@"
	same "$before" "$(snapshot "$BATS_TEST_TMPDIR")"
}

@test "--dry-run says what it would install and reload, and changes nothing" {
	put_generation "$PAIRS/new"
	chmod 0644 "$SSL/key.pem"
	dry_run_changes_nothing 0 "dry run: would install $(fingerprint "$PAIRS/new/leaf.pem")" \
		'and reload postfix-mailcow dovecot-mailcow nginx-mailcow'
	mkdir "$STATE"
	dry_run_changes_nothing 0 'dry run: would install'
}

@test "--dry-run says that there is nothing to do, and removes nothing" {
	put_generation "$PAIRS/current"
	dry_run_changes_nothing 0 "nothing to do: $(fingerprint "$PAIRS/current/leaf.pem")"
}

@test "--dry-run refuses what a run would refuse" {
	put_generation "$PAIRS/old"
	dry_run_changes_nothing 65 "refused: $GENERATION: the certificate"
	rm -r "$GENERATION" "$SSL/cert.pem" "$SSL/key.pem"
	dry_run_changes_nothing 66 'no certificate is staged, and no pair is installed'
}

@test "--dry-run with a good generation behind a bad one says both" {
	put_generation "$PAIRS/new" 10
	put_generation "$PAIRS/old" 11
	dry_run_changes_nothing 65 "would install $(fingerprint "$PAIRS/new/leaf.pem")" "refused: $GENERATION:"
}

@test "--dry-run after a reload that failed says that it would reload, and leaves the record" {
	put_generation "$PAIRS/new"
	without_docker certdeploy
	expect 69
	dry_run_changes_nothing 0 'dry run: would reload' "$(fingerprint "$PAIRS/new/leaf.pem")"
	not_said 'would install'
	certdeploy
	expect 0 'all services were reloaded'
}

@test "--dry-run leaves what an interrupted run left" {
	put_generation "$PAIRS/new"
	traced "$BATS_TEST_TMPDIR/trace" -e trace=renameat -e inject=renameat:signal=SIGKILL:when=4 --
	expect 137
	dry_run_changes_nothing 0 'dry run: would'
	certdeploy
	expect 0 'an interrupted installation was completed'
}

# --- what is said ---

@test "everything is said on standard error" {
	put_generation "$PAIRS/new"
	run --separate-stderr "$PROGRAM" -v -c "$CONF"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
	# shellcheck disable=SC2154 # run sets it
	grep -q 'certdeploy: deployed' <<<"$stderr"
}

@test "--quiet says nothing on success, and all that is wrong" {
	put_generation "$PAIRS/new"
	certdeploy --quiet
	expect 0
	[ -z "$output" ]
	without_docker certdeploy -q
	expect 0
	[ -z "$output" ]
	set_variable SKIP_LETS_ENCRYPT n
	without_docker certdeploy -q
	expect 0 'warning:'
	put_generation "$PAIRS/old"
	without_docker certdeploy -q
	expect 65 'error: refused:' 'Push the current certificate'
}

@test "--verbose tells containers and steps as well" {
	put_generation "$PAIRS/new"
	certdeploy -v
	expect 0 'postfix-mailcow: container ' ', running' "installed in $SSL" deployed
	put_generation "$PAIRS/newer"
	certdeploy
	expect 0 deployed
	not_said 'container '
}

@test "a terminal's colours are not written into a file" {
	put_generation "$PAIRS/old"
	TERM=xterm without_docker certdeploy
	expect 65
	run ! grep -q $'\033' <<<"$output"
}

@test "the result in words is what systemctl status shows" {
	local message
	message=$(timeout 10 python3 - "$BATS_TEST_TMPDIR/notify" "$PROGRAM" -c "$CONF" <<-'PYTHON'
		import os, socket, subprocess, sys
		notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		notify.bind(sys.argv[1])
		subprocess.run(sys.argv[2:], env=dict(os.environ, NOTIFY_SOCKET=sys.argv[1]), stderr=subprocess.DEVNULL)
		print(notify.recv(4096).decode())
	PYTHON
	)
	[ "$message" = "STATUS=nothing to do: nothing new is staged, $(fingerprint "$PAIRS/current/leaf.pem") is installed" ]
}

@test "a name in a certificate cannot forge lines or colours of the log" {
	make_pair "$BATS_TEST_TMPDIR/pair" names=$'DNS:\033[31mwww.example.org'
	put_generation "$BATS_TEST_TMPDIR/pair"
	without_docker certdeploy
	expect 65 'does not cover mail.example.org'
	run ! grep -q $'\033' <<<"$output"
}

# Where systemd has to end what is left of a service, that is one more thing that can go wrong.
@test "no process of a run is left when it ends, however it ends" {
	leaves_none() { # STATUS [OPTION...]
		run "$TOP/tests/e2e/orphans.py" "$PROGRAM" -c "$CONF" "${@:2}"
		expect "$1"
	}
	put_generation "$PAIRS/new"
	leaves_none 0 -n
	leaves_none 0 check
	leaves_none 0
	leaves_none 0
	put_generation "$PAIRS/old" 11
	leaves_none 65
	: >"$CONF.empty"
	CONF=$CONF.empty leaves_none 78
	# one that does leave one is noticed
	run "$TOP/tests/e2e/orphans.py" bash -c 'sleep 0.01 & disown'
	expect 99
}
